"""python -m kdbench"""

import os
import sys
from pathlib import Path

# `python -m` looks in the working directory first, the command `kdbench` does not look there at all: a folder `mmdet` in it,
# a clone of mmdetection say, must not stand for the installed package. A checkout of kdbench itself is where it comes from.
if sys.path and sys.path[0] in ("", os.getcwd()) and Path(__file__).resolve().parent.parent != Path.cwd().resolve():
    del sys.path[0]

from kdbench.cli import main

main()

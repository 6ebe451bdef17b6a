"""What options, names and files alone decide is answered before torch, ray, mmdet and mlflow are imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from kdbench.methods import registry

WRONG = [
    ["search", "defaet"],
    ["search", "defeat", "--trials", "0"],
    ["search", "defeat", "--cpus", "nan"],
    ["search", "defeat", "--cpus", "1e9"],
    ["search", "defeat", "--seed", str(2**70)],
    ["search", "defeat", "--task", "shaps"],
    ["search", "defeat", "--task", "/dev/zero"],
    ["search", "defeat", "--teacher", "/dev/zero"],
    ["search", "defeat", "--teacher", "nowhere.pth"],
    ["search", "defeat", "--teacher", "file:///dev/zero"],
    ["search", "defeat", "--teacher", "s3://bucket/r101.pth"],
    ["search", "defeat", "--space", "nowhere.yaml"],
    ["search", "defeat", "--set", "schedule.lr=.inf"],
    ["search", "defeat", "--set", "schedule.lrr=1"],
    ["search", "defeat", "--name", "x" * 300],
    ["search", "defeat", "--name", "a/b"],
    ["search", "defeat", "--storage", "x" * 300],
    ["search", "defeat", "--address", "127.0.0.1:99999"],
    ["search", "defeat", "--address", "127.0.0.1:9"],
    ["search", "defeat", "--tracking-uri", "nonsense://x"],
    ["resume", "nothing"],
    ["resume", "x" * 300],
    ["bench", "defeat_vok"],
    ["bench", "methods_shapes", "--grade", "quick", "--seeds", "0"],
    ["bench", "methods_shapes", "--rows", "none,mgdd"],
    ["train", "nowhere.yaml"],
    ["leaderboard", "nothing"],
    ["compare", "a", "b"],
    ["export", "nothing", "-o", "out"],
    ["show", "nothing"],
    ["replay", "nothing"],
]
PROGRAM = """
import json, sys
from kdbench.cli import main
codes = []
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit as done:
        heavy = [name for name in ("torch", "ray", "mmdet", "mmcv", "mlflow") if name in sys.modules]
        codes.append([arguments, done.code, heavy])
print(json.dumps(codes))
"""


def test_a_wrong_word_imports_nothing_large(tmp_path: Path) -> None:
    """shared/failing/54, and of 42, 50, 51, 52 and 55: what words alone decide is told at once."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(WRONG)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    answers = json.loads(done.stdout)
    assert [answer for answer in answers if answer[1] != 2 or answer[2]] == [], done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(WRONG)
    assert max(map(len, lines)) < 500


def test_the_presets_that_are_known_by_name_are_those_that_methods_have() -> None:
    found = {preset: name for name in registry.BUILT_IN for preset in registry.get(name).presets}
    assert found == registry.PRESETS

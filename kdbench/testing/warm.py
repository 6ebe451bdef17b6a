"""Imported by the server from which `processes` forks: everything slow happens here, once."""

import torch

from kdbench.testing import detectors

# A pool of threads would not survive the fork.
torch.set_num_threads(1)

for _family in ("one_stage", "two_stage"):
    detectors.detector(_family)  # type: ignore[arg-type]

"""Datasets: every kind is brought once into cleaned COCO files, one a split, that mmdet's CocoDataset reads.

>>> data = prepare(task.dataset, storage, data_root)
>>> data.splits["train"].num_images
400
"""

from kdbench.data.prepared import Prepared, SplitFiles, prepare, read_prepared

__all__ = ["Prepared", "SplitFiles", "prepare", "read_prepared"]

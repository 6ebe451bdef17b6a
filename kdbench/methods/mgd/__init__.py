"""MGD: FPN levels regenerated from erased ones (ECCV 2022, arXiv 2205.01529)."""

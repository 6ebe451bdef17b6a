"""FGFI: FPN levels near objects (CVPR 2019, arXiv 1906.03609)."""

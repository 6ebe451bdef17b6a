"""LD: distributions over box sides, for heads of GFL's type (CVPR 2022, arXiv 2102.12252)."""

"""FGD: FPN levels weighted by objects and attention, and relations between cells (CVPR 2022, arXiv 2111.11837)."""

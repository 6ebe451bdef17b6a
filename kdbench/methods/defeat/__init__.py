"""DeFeat: FPN levels, backbone stages and RoI classification, objects and background apart (CVPR 2021, arXiv 2103.14475)."""

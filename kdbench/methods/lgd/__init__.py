"""LGD: FPN levels made of the labels, no teacher (AAAI 2022, arXiv 2109.11496)."""

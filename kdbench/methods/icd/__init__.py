"""ICD: FPN levels where a decoder trained on the teacher looks for each object (NeurIPS 2021, arXiv 2110.12724)."""

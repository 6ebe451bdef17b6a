"""How long a trial runs: stopping, waiting and promotion at rungs, and whether their order can be trusted."""

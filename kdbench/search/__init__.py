"""The brain of a study: what to start next, what goes on, when it is done; functions of plan and ledger. No Ray, no torch."""

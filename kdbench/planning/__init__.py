"""From what a user wishes to a checked plan: nothing is written or started before it holds."""

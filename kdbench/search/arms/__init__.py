"""Who gets trials, device-hours and seeds: rounds over arms, the budget, and the race of the finalists."""

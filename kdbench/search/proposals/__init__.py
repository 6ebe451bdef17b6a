"""Which values a trial gets: the published ones, points of others, and Optuna's samplers."""

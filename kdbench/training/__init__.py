"""What happens inside a trial. Knows nothing of Ray or MLflow."""

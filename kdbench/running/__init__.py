"""The hands: Ray around a board, what follows from its events, progress, the doctor; and one training without Ray."""

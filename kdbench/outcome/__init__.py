"""After the run: which training stands for a study, comparing it with the records, showing, replaying, exporting and verifying it."""

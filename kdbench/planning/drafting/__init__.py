"""Task files for data and configs that nobody has written a task for: `kdbench task`."""

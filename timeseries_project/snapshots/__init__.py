"""What is in memory, written to a file now and then, and read from it at start."""

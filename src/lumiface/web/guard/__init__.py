"""What stands before every request: names, origins, passwords, bounds of size and time."""

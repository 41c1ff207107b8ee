"""What is shown to people: tables and picture grids."""

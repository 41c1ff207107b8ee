"""The work on pictures: a queue with a limit, and one process that holds the networks."""

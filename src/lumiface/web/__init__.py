"""The page in the browser and the server for programs: one process for requests, one that restores."""

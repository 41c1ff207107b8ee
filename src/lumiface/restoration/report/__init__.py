"""Reports of trust: a page for people and JSON for programs."""

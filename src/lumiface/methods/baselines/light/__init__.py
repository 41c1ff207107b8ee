"""Baselines that brighten and keep the size: the rivals of prior3d; one per file."""

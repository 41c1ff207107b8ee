"""Baselines of blind face restoration: the rivals of fusion_bfr; one per file."""

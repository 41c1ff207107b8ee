"""Batches on many machines: Ray's workers, and pictures in buckets."""

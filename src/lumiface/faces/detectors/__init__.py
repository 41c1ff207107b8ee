"""Detectors: where faces are in a picture, with a score and five landmarks each."""

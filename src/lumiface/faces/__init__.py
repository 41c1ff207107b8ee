"""Faces in a picture: detection, alignment, measurement, pasting. Uses no network of lumiface.methods."""

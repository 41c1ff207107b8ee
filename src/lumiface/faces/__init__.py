"""Faces in a picture: find them, cut them out upright, put them back."""

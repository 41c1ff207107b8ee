"""The light of faces and of what surrounds them: given, transferred, kept."""

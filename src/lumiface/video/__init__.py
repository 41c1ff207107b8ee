"""Videos: frames in and out with their times, faces tracked, light and detail steady from frame to frame."""

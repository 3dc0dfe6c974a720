"""What can be made of a recording for other programs and for people."""

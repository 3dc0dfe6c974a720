"""Marks findings in ultrasound, live or recorded: points, contours and volumes, for the case."""

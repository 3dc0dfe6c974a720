"""Examines whether this machine meets the requirements of SurgNav, by measurement where possible."""

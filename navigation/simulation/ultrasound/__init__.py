"""Simulated ultrasound: images formed from a CT or labels, with the truth of what they show."""

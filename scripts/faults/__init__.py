"""Deliberate faults: each is put into a copy of the program, and its tests must fail."""

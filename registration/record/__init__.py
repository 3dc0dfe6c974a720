"""Registrations in the case: the plan, the points in files, every attempt, and which one is in force."""

"""Scenarios that ship with the program: files in the same form as everybody's."""

"""The case: a folder that a person can read, with a manifest of what made what from what; and the files in it."""

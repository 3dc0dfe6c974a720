"""Processes of their own beside the program: their priority, and how those that end by themselves are started again."""

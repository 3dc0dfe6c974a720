"""Surfaces at the client: which levels to pull, the transfers, and their window."""

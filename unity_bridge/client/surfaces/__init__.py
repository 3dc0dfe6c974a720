"""The surfaces at the client: what to pull, in which order, and how much at a time."""

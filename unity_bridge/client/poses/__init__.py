"""The poses at the client: received, aged by its own clock, logged."""

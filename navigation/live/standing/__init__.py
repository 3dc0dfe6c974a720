"""How the running service stands: one snapshot, for the operator's screen and for metrics."""

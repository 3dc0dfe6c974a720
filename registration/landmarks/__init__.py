"""Paired landmarks to a pose: in known or unknown order, with errors of their own; what cannot belong together."""

"""Watches: each looks for one thing that a single frame does not show, and doubts what it can no longer vouch for."""

"""The running service: poses from the newest tracker frame, supervised; surfaces; and what clients are told."""

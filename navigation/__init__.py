"""The operating room: devices, the supervised pose service, the demo and the command line; the composition root."""

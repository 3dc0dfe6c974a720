"""The control socket: who is there, events both ways, and the self-test of each client."""

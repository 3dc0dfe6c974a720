"""Sockets, connections, authentication by keys, and limits on what a peer may send."""

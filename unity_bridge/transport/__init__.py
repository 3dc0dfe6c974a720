"""Sockets, connections, keys and limits: who may connect, and how much anybody may send."""

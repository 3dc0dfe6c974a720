"""The control socket: sessions of clients, events in both directions, and the self-test of each client."""

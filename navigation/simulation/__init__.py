"""A simulated operating room. It satisfies the same Protocols as real devices, and only it knows the true poses."""

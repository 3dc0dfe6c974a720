"""A simulated operating room: it satisfies the same Protocols as real devices and alone knows the truth."""

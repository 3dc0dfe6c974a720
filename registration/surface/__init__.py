"""Registration of swept points to a surface: robust ICP, search without an initial pose, ultrasound points of bone."""

"""Tool states in batches: laid out, encoded, published."""

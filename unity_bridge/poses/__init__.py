"""Tool states, their encoding as pose batches, and the publisher."""

"""Planning on the case: targets, and bone landmarks for verification."""

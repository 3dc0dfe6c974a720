"""Training a network of one's own on labelled CT, and measuring it on scans it never saw."""

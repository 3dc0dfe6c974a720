"""The demo with ultrasound: a simulated patient scanned live, and a registration that a sweep over bone renews."""

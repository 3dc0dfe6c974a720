"""The demo: the whole path from CT to headset on a simulated patient, scored against a truth that only it knows."""

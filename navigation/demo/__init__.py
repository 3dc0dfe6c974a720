"""The demo: the whole path from CT to headset on a simulated patient, with the result scored against the true poses."""

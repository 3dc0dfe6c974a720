"""``surgnav calibrate probe`` and ``probe-time``: where an image lies in its probe, and when it was taken."""

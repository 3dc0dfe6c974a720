"""``surgnav calibrate headset``: headset to tracker, from recordings or live, and its check."""

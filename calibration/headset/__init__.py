"""Headset to tracker: where the tracker is in the headset's own world, how well that is known, and until when."""

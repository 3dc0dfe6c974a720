"""Sources of ultrasound frames: recordings and their playback; live devices satisfy the same Protocol."""

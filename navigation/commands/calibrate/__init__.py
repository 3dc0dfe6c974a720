"""``surgnav calibrate``: instruments, live or from recordings."""

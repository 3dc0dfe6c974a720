"""``surgnav calibrate hand-eye``: its command, and the tables that it reads."""

"""``surgnav keys``: who may connect from outside this machine."""

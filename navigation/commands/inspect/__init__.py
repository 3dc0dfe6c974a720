"""``surgnav inspect``: every series of a path, with its verdict."""

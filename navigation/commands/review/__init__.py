"""``surgnav review``: what was suggested, and what a named person decided."""

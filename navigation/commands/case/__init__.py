"""``surgnav case``: what is in a case, whether it is as it was made, and what leaves it."""

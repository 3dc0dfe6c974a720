"""Planning on the case: what the surgeon aims at."""

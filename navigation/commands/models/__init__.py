"""``surgnav models``: networks of others beside ours."""

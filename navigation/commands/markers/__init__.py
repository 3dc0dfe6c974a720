"""``surgnav markers``: skin markers in the CT, kept as planned landmarks."""

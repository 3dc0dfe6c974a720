"""``surgnav register``: from touched landmarks and swept skin to a registration that somebody accepted, or none."""

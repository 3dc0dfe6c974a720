"""``surgnav plan``: trajectories of a case, kept and checked."""

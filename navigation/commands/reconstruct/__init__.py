"""``surgnav reconstruct``: a CT to surfaces in a case, by the network or from the labels of somebody else."""

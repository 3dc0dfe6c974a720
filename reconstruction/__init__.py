"""CT to labelled volumes to surfaces: the door, the network, the case."""

"""Programs of others that the tests talk to: the reference library of OpenIGTLink, and the core of 3D Slicer."""

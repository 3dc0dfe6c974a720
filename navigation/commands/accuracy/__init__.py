"""``surgnav accuracy``: a tool on a block of known points, by the tests of ASTM F2554 or within a minute."""

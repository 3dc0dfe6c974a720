"""A point in CT at which the tests of the expected error ask for it."""

from __future__ import annotations

import numpy as np

from geometry import Transform

HERE = Transform(np.eye(4), "reference", "ct")

"""A CT for the network's tests."""

from __future__ import annotations

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom


@pytest.fixture(scope="session")
def phantom_ct() -> Volume:
    """The torso phantom at 3 mm."""
    return make_torso_phantom(TorsoPhantomSettings(spacing_mm=(3.0, 3.0, 3.0)), np.random.default_rng(3)).ct

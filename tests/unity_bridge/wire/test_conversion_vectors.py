"""The file that both languages read is what this code makes; the C# side is in the package's ConversionTests."""

import json

import numpy as np

from tests.unity_bridge.wire.conversion_vectors import FILE, vectors


def assert_same(came, committed, where: str) -> None:
    """Numbers to 1e-12: SciPy's last bits are not the same on every machine."""
    if isinstance(committed, dict):
        assert came.keys() == committed.keys(), where
        for key, value in committed.items():
            assert_same(came[key], value, f"{where}.{key}")
    elif isinstance(committed, list) and committed and isinstance(committed[0], dict):
        assert len(came) == len(committed), where
        for index, value in enumerate(committed):
            assert_same(came[index], value, f"{where}[{index}]")
    else:
        np.testing.assert_allclose(came, committed, rtol=0.0, atol=1e-12, err_msg=where)


def test_the_vectors_are_current():
    """If not: python -m tests.unity_bridge.wire.conversion_vectors, and commit."""
    assert_same(vectors(), json.loads(FILE.read_text("utf-8")), "conversion")


def test_a_chain_by_hand():
    """One of them written out, with nothing of the package: R p + t twice, then the axes."""
    chain = json.loads(FILE.read_text("utf-8"))["chains"][0]
    point = np.array(chain["point_m"])
    for pose in (chain["inner"], chain["outer"]):
        x, y, z, w = pose["rotation_xyzw"]
        u = np.array([x, y, z])
        point = point + 2 * (w * np.cross(u, point) + np.cross(u, np.cross(u, point))) + pose["position_m"]
    np.testing.assert_allclose(point, chain["placed_m"], atol=1e-12)

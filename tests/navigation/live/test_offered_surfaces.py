"""Levels as the service makes them: coarse first, each with a deviation that was measured."""

import numpy as np
import pytest

from geometry.surface import Surface
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from reconstruction.surfaces.simplification import surface_distance
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from unity_bridge.surfaces.compression import decompress_surface
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import surface_from_unity


@pytest.fixture(scope="module")
def levels():
    return encode_levels(bumpy_sphere(), LevelSettings(triangle_counts=(4000, 500)))


def test_the_coarse_one_comes_first_and_the_last_is_the_full_surface(levels):
    assert [level.payload.triangle_count for level in levels] == [500, 4000, len(bumpy_sphere().triangles)]
    assert levels[-1].deviation_max_mm == 0.0
    assert levels[0].deviation_max_mm > levels[1].deviation_max_mm > 0.0
    assert all(decompress_surface(level.compressed) == level.payload.data for level in levels)
    assert all(level.glb.startswith(b"glTF") for level in levels)


def test_the_deviation_is_that_of_what_travels(levels):
    """Measured anew from the decoded bytes; quantisation moves a vertex by half a step along each axis."""
    for level in levels[:2]:
        decoded = surface_from_unity(decode_surface(level.payload.data).surface)
        distance = surface_distance(decoded, bumpy_sphere())
        step_mm = level.payload.quantisation_step_mm
        # Not the same samples: levels are reordered to travel. Of more than 10,000 every second is measured.
        assert distance.max_mm == pytest.approx(level.deviation_max_mm, rel=0.05, abs=np.sqrt(3.0) / 2.0 * step_mm)
        assert distance.p95_mm == pytest.approx(level.deviation_p95_mm, rel=0.05, abs=np.sqrt(3.0) / 2.0 * step_mm)


@pytest.mark.parametrize("counts", [(), (20_000, 4_000), (4,)])
def test_a_small_surface_has_one_level(counts):
    levels = encode_levels(tetrahedron(), LevelSettings(triangle_counts=counts, glb=False))
    assert [(level.payload.triangle_count, level.glb) for level in levels] == [(4, None)]


def test_levels_of_what_cannot_be_simplified_still_grow():
    """Two hundred tetrahedra fold up and vanish where they are simplified."""
    one = tetrahedron(5.0)
    number = np.arange(200)[:, None, None]
    vertices = (one.vertices_mm + number * [20.0, 0.0, 0.0]).reshape(-1, 3)
    triangles = (one.triangles + 4 * number).reshape(-1, 3).astype(np.int32)
    many = Surface(vertices, triangles, "ct", "many")
    levels = encode_levels(many, LevelSettings(triangle_counts=(790, 400, 20)))
    counts = [level.payload.triangle_count for level in levels]
    assert counts == sorted(set(counts))
    assert counts[0] > 0
    assert counts[-1] == 800
    assert all(level.deviation_max_mm > 0.0 for level in levels[:-1])

"""The distance grid against the exact distance, on closed and open surfaces; its file against damage and malice."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from registration import refine_on_surface
from registration.distance.closest_point import ExactDistance
from registration.distance.distance_grid import DistanceGrid, GridSettings
from registration.distance.grid_file import DIGEST_BYTES, MAGIC
from registration.errors import DistanceGridError
from registration.uncertainty.expected_error import target_errors_mm
from tests.registration.shapes import T_TRUE, displaced, organ, plate, sample, sphere, tube

ORGAN = organ()
EXACT = ExactDistance(ORGAN)
GRID = DistanceGrid.from_surface(ORGAN)


def differences(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the distances in mm, and the angle between the gradients in degrees."""
    grid, exact = GRID.distance(points), EXACT.distance(points)
    cosine = np.clip(np.einsum("nj,nj->n", grid.gradient, exact.gradient), -1.0, 1.0)
    return np.abs(grid.signed_mm - exact.signed_mm), np.degrees(np.arccos(cosine))


def test_near_the_surface_a_hundredth_of_a_millimetre() -> None:
    rng = np.random.default_rng(0)
    error_mm, angle_deg = differences(sample(ORGAN, 5000, rng) + 0.5 * rng.normal(size=(5000, 3)))
    # Facets of 3 mm bend by 2 degrees at their edges, and lie up to 0.02 mm inside the body that they stand for.
    assert np.sqrt(np.mean(error_mm**2)) < 0.01
    assert error_mm.max() < 0.05
    assert np.percentile(angle_deg, 95) < 3.0


def test_far_out_the_error_is_a_share_of_the_distance() -> None:
    rng = np.random.default_rng(1)
    points = sample(ORGAN, 5000, rng) + 12.0 * rng.normal(size=(5000, 3))
    error_mm, angle_deg = differences(points)
    assert np.percentile(error_mm, 95) < 0.2
    assert np.percentile(angle_deg, 90) < 3.0  # the rest lies where two feet are equally near
    sides_differ = np.sign(GRID.distance(points).signed_mm) != np.sign(EXACT.distance(points).signed_mm)
    assert not sides_differ[np.abs(EXACT.distance(points).signed_mm) > 0.05].any()


def test_beyond_the_grid_the_distance_still_grows() -> None:
    directions = Rotation.random(200, rng=np.random.default_rng(2)).apply([0.0, 0.0, 1.0])
    points = ORGAN.vertices_mm.mean(axis=0) + 600.0 * directions
    error_mm, angle_deg = differences(points)
    # The foot is the one of the nearest border point: of 500 mm, a twentieth may be wrong.
    assert error_mm.max() < 25.0
    assert angle_deg.max() < 15.0


@pytest.mark.parametrize("surface", [plate(120.0), tube(40.0, 120.0)], ids=["plate", "tube"])
def test_an_open_surface_keeps_its_sign(surface: Surface) -> None:
    rng = np.random.default_rng(3)
    points = sample(surface, 3000, rng) + 8.0 * rng.normal(size=(3000, 3))
    grid, exact = DistanceGrid.from_surface(surface).distance(points), ExactDistance(surface).distance(points)
    # Beyond the rim the sign jumps; within half a cell of that sheet, of 8 mm out there, the two sides are mixed.
    wrong = np.abs(grid.signed_mm - exact.signed_mm) > 0.5
    assert wrong.mean() < 0.02
    assert (np.abs(np.abs(grid.signed_mm) - np.abs(exact.signed_mm)) < 4.0).all()


def test_a_cube_of_twelve_triangles_has_no_holes_in_its_band() -> None:
    import trimesh

    box = trimesh.creation.box(extents=(120.0, 90.0, 70.0))
    surface = Surface(np.asarray(box.vertices), np.asarray(box.faces), "ct", "box")
    rng = np.random.default_rng(4)
    points = sample(surface, 4000, rng)
    signed_mm = DistanceGrid.from_surface(surface).distance(points).signed_mm
    # Faces are planes, which the blend reproduces. But this box is in line with the grid: nodes lie on its very faces,
    # where only the normal interpolated between the box's corners is left for a gradient.
    inner = (np.sort(np.abs(np.abs(points) - [60.0, 45.0, 35.0]), axis=1)[:, 1]) > 4.0
    assert inner.mean() > 0.5
    assert np.abs(signed_mm[inner]).max() < 0.05
    assert np.abs(signed_mm).max() < 1.0


def test_a_registration_on_the_grid_is_the_one_on_the_surface() -> None:
    rng = np.random.default_rng(5)
    points = sample(ORGAN, 1500, rng, np.array([0.0, 0.0, 1.0])) + 0.5 * rng.normal(size=(1500, 3))
    initial = displaced(T_TRUE, ORGAN, np.deg2rad(10.0), 10.0, rng)
    on_grid = refine_on_surface(T_TRUE.apply(points), GRID, initial)
    on_surface = refine_on_surface(T_TRUE.apply(points), ORGAN, initial)
    assert on_grid.converged, on_grid.reason
    # Noise of 0.5 mm leaves 0.1 mm; the grid may not add a fifth of that.
    targets = ORGAN.vertices_mm[::500]
    assert target_errors_mm(on_grid.T_reference_ct, on_surface.T_reference_ct, targets).max() < 0.02
    np.testing.assert_allclose(on_grid.uncertainty.covariance, on_surface.uncertainty.covariance, rtol=0.3, atol=1e-6)


def test_a_sphere_on_a_grid_turns_in_three_directions() -> None:
    body = sphere(100.0)
    points = T_TRUE.apply(sample(body, 800, np.random.default_rng(0)))
    weakest = refine_on_surface(points, DistanceGrid.from_surface(body), T_TRUE).weakest_direction
    assert (weakest.sd_mm[:3] > 10.0).all()
    assert (weakest.sd_mm[3:] < 0.5).all()


def test_a_saved_grid_comes_back_bit_by_bit(tmp_path: Path) -> None:
    GRID.save(tmp_path / "grid")
    loaded = DistanceGrid.load(tmp_path / "grid", Surface(ORGAN.vertices_mm, ORGAN.triangles, "ct", "renamed"))
    points = sample(ORGAN, 500, np.random.default_rng(0)) + 5.0
    np.testing.assert_array_equal(loaded.distance(points).signed_mm, GRID.distance(points).signed_mm)
    np.testing.assert_array_equal(loaded.mean_normal_lines(points, 20.0), GRID.mean_normal_lines(points, 20.0))
    assert loaded.fingerprint == GRID.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["grid"]


def test_the_grid_of_another_surface_is_refused(tmp_path: Path) -> None:
    GRID.save(tmp_path / "grid")
    nudge = Transform.from_rotation(Rotation.identity(), [1e-9, 0.0, 0.0], "ct", "ct")
    others = (organ(4), ORGAN.transformed(nudge), Surface(ORGAN.vertices_mm, ORGAN.triangles, "reference", "organ"))
    for other in others:
        with pytest.raises(DistanceGridError, match="another surface"):
            DistanceGrid.load(tmp_path / "grid", other)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid"
    with pytest.raises(DistanceGridError, match="cannot be read"):
        DistanceGrid.load(path, ORGAN)
    GRID.save(path)
    data = path.read_bytes()
    for cut in (0, 10, len(MAGIC) + 4, 1000, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(DistanceGridError):
            DistanceGrid.load(path, ORGAN)
    for position in np.random.default_rng(0).integers(len(data), size=20):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(DistanceGridError):
            DistanceGrid.load(path, ORGAN)


HOSTILE = {
    "version": {"version": 2},
    "huge shape": {"levels": [{"shape": [10**9, 10**9, 10**9], "nodes": 10}]},
    "negative shape": {"levels": [{"shape": [-4, 4, 4], "nodes": 10}]},
    "no levels": {"levels": []},
    "levels of another kind": {"levels": "many"},
    "no trend": {"trend": None},
    "spacing": {"spacing_mm": -2.0},
    "spacing that is no number": {"spacing_mm": "NaN"},
    "origin": {"origin_mm": [0.0, 0.0]},
    "far origin": {"origin_mm": [1e6, 0.0, 0.0]},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_forged_header_is_refused_although_its_hash_is_right(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "grid"
    GRID.save(path)
    data, start = path.read_bytes(), len(MAGIC) + 4
    (length,) = struct.unpack("<I", data[len(MAGIC) : start])
    header = json.dumps(json.loads(data[start : start + length]) | change).encode()
    body = MAGIC + struct.pack("<I", len(header)) + header + data[start + length : -DIGEST_BYTES]
    path.write_bytes(body + hashlib.sha256(body).digest())
    with pytest.raises(DistanceGridError):
        DistanceGrid.load(path, ORGAN)


def test_what_cannot_become_a_grid_is_refused() -> None:
    with pytest.raises(DistanceGridError, match="without triangles"):
        DistanceGrid.from_surface(Surface(ORGAN.vertices_mm, np.empty((0, 3), int), "ct", "nothing"))
    with pytest.raises(DistanceGridError, match="above zero"):
        DistanceGrid.from_surface(ORGAN, GridSettings(spacing_mm=0.0))
    with pytest.raises(DistanceGridError, match="100000000 nodes"):
        DistanceGrid.from_surface(ORGAN, GridSettings(spacing_mm=0.1))

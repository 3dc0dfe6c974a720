"""What a case keeps besides the attempts: the distance to its surface, and the map of the expected error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from case.case import Case
from reconstruction.ct.nifti import read_nifti_volume
from registration.distance.distance_grid import DistanceGrid
from registration.measurements import Measured
from registration.record import kept_grid as field_module
from registration.record.attempts import keep_attempt
from registration.record.kept_grid import open_field
from registration.register import register
from tests.registration.record.harness import (
    ASSUMED,
    BY,
    GLB,
    MADE_BY,
    MARKS,
    ORGAN,
    TARGETS,
    case,
    sweep,
    touched,
)

__all__ = ["case"]
GRID = "registration/organ.grid"


def test_the_grid_is_made_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_field(case, ORGAN, GLB, MADE_BY)
    assert case.artefact(GRID).made_from[0].id == GLB
    monkeypatch.setattr(field_module, "DistanceGrid", LoadOnly)
    again = open_field(Case.open(case.root), ORGAN, GLB, MADE_BY)
    points = ORGAN.vertices_mm[::50] + 3.0
    np.testing.assert_array_equal(again.distance(points).signed_mm, made.distance(points).signed_mm)


class LoadOnly(DistanceGrid):
    @classmethod
    def from_surface(cls, surface: object, settings: object = None) -> DistanceGrid:
        pytest.fail("built again")


def test_a_grid_that_was_altered_or_is_of_another_surface_is_made_anew(case: Case) -> None:
    open_field(case, ORGAN, GLB, MADE_BY)
    path = case.path_of(GRID)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert GRID in case.verify()
    open_field(case, ORGAN, GLB, MADE_BY)
    assert GRID not in case.verify()
    moved = replace(ORGAN, vertices_mm=ORGAN.vertices_mm + 5.0)
    grid = open_field(case, moved, GLB, MADE_BY)
    assert abs(grid.distance(moved.vertices_mm[:1]).signed_mm[0]) < 0.1


def test_the_map_holds_the_expected_error_at_each_target(case: Case) -> None:
    measured = Measured(MARKS, touched(), sweep(), TARGETS)
    attempt = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    volume = read_nifti_volume(case.path_of("registration/r-0001_expected_p95.nii.gz"))
    axes = [volume.affine[i, 3] + volume.affine[i, i] * np.arange(n) for i, n in enumerate(volume.shape_ijk)]
    # NIfTI on disk is RAS: its axes may run the other way once they are LPS again.
    ascending = [np.sort(axis) for axis in axes]
    flips = tuple(slice(None, None, -1) if axis[0] > axis[-1] else slice(None) for axis in axes)
    look_up = RegularGridInterpolator(ascending, np.asarray(volume.voxels, float).transpose(2, 1, 0)[flips])
    for name, target in attempt.result.expected.items():
        # Between nodes 4 mm apart the error of a pose hardly bends.
        assert look_up(TARGETS[name])[0] == pytest.approx(target.p95_mm, rel=0.02)


def test_the_ellipsoid_is_kept_with_each_target(case: Case) -> None:
    measured = Measured(MARKS, touched(), sweep(), TARGETS, tip_error_rms_mm=0.5)
    attempt = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    for target in attempt.result.expected.values():
        longest, middle, shortest = target.semi_axes_mm
        assert longest >= middle >= shortest > 0.0
        assert np.linalg.norm(target.longest_ct) == pytest.approx(1.0)
        # Of a normal error in three directions 95 % lie within 2.80 standard deviations along each.
        variances = np.linalg.eigvalsh(target.covariance_reference_mm2)
        assert longest == pytest.approx(2.7955 * np.sqrt(variances[-1]), rel=1e-3)
        assert target.with_tool_p95_mm > target.p95_mm

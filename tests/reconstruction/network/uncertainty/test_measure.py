"""Uncertainty of the committed network on a phantom, from the passes to the case and the screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from case.case import Case, MadeBy
from case.errors import CaseError
from geometry.volume import Volume
from reconstruction import in_case
from reconstruction.network.segmentation import Segmentation, segment
from reconstruction.network.uncertainty.measure import Uncertainty, measure_uncertainty
from reconstruction.network.uncertainty.passes import soft_dice
from reconstruction.surfaces.extract import extract_surface

TIME = "2026-01-02T03:04:05+00:00"


@pytest.fixture(scope="module")
def seen(phantom_ct: Volume) -> tuple[Volume, Segmentation, Uncertainty]:
    middle = np.array(phantom_ct.shape_ijk) // 2
    i, j, k = (int(start) for start in middle - (30, 30, 15))
    voxels = np.ascontiguousarray(phantom_ct.voxels[k : k + 30, j : j + 60, i : i + 60])
    affine = phantom_ct.affine.copy()
    affine[:3, 3] = phantom_ct.index_to_mm([[i, j, k]])[0]
    ct = Volume(voxels, affine, phantom_ct.frame)
    found = segment(ct)
    sure = measure_uncertainty(ct, found, "quick")
    assert sure is not None
    return ct, found, sure


def test_the_answer_itself_is_not_changed_and_nothing_is_asked_for_none(seen) -> None:
    ct, found, sure = seen
    assert measure_uncertainty(ct, found, "none") is None
    assert sure.wrong.shape_ijk == found.labels.shape_ijk
    wrong = np.asarray(sure.wrong.voxels)
    assert (wrong.min() >= 0.0, wrong.max() <= 1.0) == (True, True)
    np.testing.assert_allclose(sure.passes.mean.sum(axis=0), 1.0, atol=2e-3)


def test_doubt_lies_at_borders_and_regions_lie_in_doubt(seen) -> None:
    _, found, sure = seen
    wrong = np.asarray(sure.wrong.voxels)
    entropy = np.asarray(found.uncertainty.voxels)
    # Not more than 5 times: the CT can be sure of bone that the network did not see, and that is doubtful too.
    assert wrong[entropy > 0.3].mean() > 5 * wrong[entropy < 0.02].mean()
    assert sure.regions
    expected = [region.expected_wrong_ml for region in sure.regions]
    assert expected == sorted(expected, reverse=True)
    for region in sure.regions[:5]:
        i, j, k = np.rint(found.labels.mm_to_index([region.centre_mm])[0]).astype(int)
        assert found.classes[found.labels.voxels[k, j, i]] == region.given
        assert region.given != region.instead


def test_it_is_the_same_every_time(seen) -> None:
    ct, found, sure = seen
    again = measure_uncertainty(ct, found, "quick")
    assert again is not None
    assert again.to_json() == sure.to_json()


def test_dice_to_expect_is_dice_where_probabilities_are_certain() -> None:
    a, b = np.zeros((2, 4, 4, 4), np.float32)
    a[:2], b[1:3] = 1.0, 1.0
    assert soft_dice(a, b > 0.5) == pytest.approx(0.5)


def test_the_case_keeps_it_with_its_surface_and_no_other(seen, tmp_path: Path) -> None:
    _, found, sure = seen
    surface = extract_surface(found.probabilities["bone"], "bone").surface
    made_by = MadeBy.surgnav(TIME, {})
    with Case.create(tmp_path / "case", "made", TIME) as case:
        case.write_json("ct", "made", {}, made_by)
        case.add_surface(surface, made_by, ("ct/made.json",))
        in_case.add_how_sure(case, sure, ("bone",), made_by, ("ct/made.json",))
    case = Case.open(tmp_path / "case")
    kept = in_case.read_how_sure(case)
    assert kept == json.loads(json.dumps(sure.to_json()))
    error_mm = in_case.read_border_error(case, "bone")
    assert error_mm is not None
    assert len(error_mm) == len(case.read_surface("bone").vertices_mm)
    np.testing.assert_allclose(error_mm, sure.border_error_mm("bone", surface.vertices_mm), rtol=0.05, atol=0.05)
    assert in_case.read_border_error(case, "liver") is None
    path = case.path_of("border_error/bone.npy")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CaseError, match="border errors"):
        in_case.read_border_error(case, "bone")

"""What goes where the skin goes is no witness against the skin; and the skin is softer than bone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from registration.uncertainty.mobility import BARE_SKIN, BONE, SKIN_MARKER
from registration.uncertainty.perturbation import MOTION, SCALE, SKIN
from registration.uncertainty.shared_errors import landmark_rows, surface_rows
from registration.verdict.verdict import SKIN_ALONE, judge
from registration.verdict.verification import Verification
from tests.registration.verdict.harness import GOOD

ON_SKIN = replace(GOOD, rests_on_skin=True)


def touch(on_skin: bool) -> Verification:
    """At a landmark, half as far off as 95 of 100 are."""
    return Verification("point", "landmark", np.array([1.0, 0.0, 0.0]), 1.0, 2.0, on_skin=on_skin, away_mm=100.0)


def test_only_a_touch_that_is_not_on_the_skin_vouches_for_the_skin() -> None:
    assert judge(ON_SKIN).reasons == (SKIN_ALONE,)
    assert judge(ON_SKIN, [touch(on_skin=True)]).reasons == (SKIN_ALONE,)
    assert judge(ON_SKIN, [touch(on_skin=False)]).level == "accept"


def test_a_landmark_on_bare_skin_has_moved_by_the_millimetres_that_are_published() -> None:
    """Bone not at all; markers by 2 to 4 mm with the skin's 1.5 mm; places of the face are found within 3 to 5 mm."""
    whole_skin_mm = 1.5
    marker_mm, bare_mm = (
        float(np.sqrt(whole_skin_mm**2 + kind.own_mm**2 + kind.slide_mm**2)) for kind in (SKIN_MARKER, BARE_SKIN)
    )
    assert (BONE.own_mm, BONE.slide_mm) == (0.0, 0.0)
    assert 2.0 < marker_mm < 4.0
    assert 3.0 < bare_mm < 5.0


def test_a_sweep_and_landmarks_mean_the_same_by_scale_skin_and_motion() -> None:
    """A point is nearer to the surface by the part of its landmark's way that is along the normal; a larger patient
    brings what lies 100 mm out nearer by 1 mm for each per cent.
    """
    rng = np.random.default_rng(2)
    arms = rng.normal(scale=80.0, size=(20, 3))
    normals = rng.normal(size=(20, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    swept = surface_rows(arms, np.cross(arms, normals), normals, on_skin=True)
    touched = landmark_rows(arms, np.zeros(3), np.ones(20, dtype=bool))
    along = np.einsum("nk,nki->ni", normals, touched)
    np.testing.assert_allclose(swept[:, MOTION], along[:, MOTION], atol=1e-9)
    np.testing.assert_allclose(swept[:, SKIN], along[:, SKIN], atol=1e-9)
    np.testing.assert_allclose(swept[:, SCALE], along[:, SCALE], atol=1e-9)
    out = np.array([[100.0, 0.0, 0.0]])
    assert landmark_rows(out, np.zeros(3), np.zeros(1, dtype=bool))[0, 0, SCALE] * 0.01 == pytest.approx(1.0)

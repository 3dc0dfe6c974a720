"""A contour that is marked lies in the case where it lies in the patient, by hand; and one in doubt is not marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from case.case import Case, MadeBy
from case.errors import CaseError
from case.findings.finding import Finding, MarkedIn
from case.findings.kept import findings
from case.manifest import Signature
from geometry import Transform
from geometry.frames import CT, REFERENCE
from navigation.ultrasound.findings.mark import NO_CONTOUR, Marked, keep_marks, marked, shapes_of
from tests.navigation.ultrasound.live.probes import T_REFERENCE_CT, pose_at
from tests.navigation.ultrasound.live.vessels import REGISTERED, SHOWS_NS, placed
from unity_bridge.wire.envelope import Validity

TIME = "2026-11-27T10:00:00+00:00"
# The corners of the vessel in the probe: `vessels` has its pixels, `probes` the map.
CORNERS_PROBE = np.array([[-18.0, 83.6, 15.0], [-14.0, 83.6, 15.0], [-14.0, 86.0, 15.0], [-18.0, 86.0, 15.0]])
BY, MARKED_IN = Signature("Dr Test", TIME), MarkedIn(images="the probe", session="5e55", probe="probe")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    with Case.create(tmp_path / "case", "made", TIME) as made:
        made.write_json("registration", "r-0001", {"pose": 1}, MadeBy.surgnav(TIME))
    return Case.open(tmp_path / "case")


def kept(case: Case, found: Marked) -> Finding:
    assert found.why_not == ""
    (finding,) = keep_marks(case, found, BY, MARKED_IN)
    ((_, read),) = findings(Case.open(case.root))
    assert read == finding
    return finding


def test_a_contour_of_a_registered_patient_lies_in_the_ct(case: Case) -> None:
    frame = placed()
    finding = kept(case, marked(frame, "contour", REGISTERED))
    in_ct = T_REFERENCE_CT.inverse().apply(pose_at(SHOWS_NS).apply(CORNERS_PROBE))
    np.testing.assert_allclose(finding.points_mm, in_ct, atol=1e-3)
    assert (finding.name, finding.shape, finding.closed, finding.in_frame) == ("vessel-1", "contour", True, CT)
    assert (finding.registration, finding.marked_in.shows_ns) == ("r-0001", SHOWS_NS)
    assert finding.registration_sha256 == case.artefact("registration/r-0001.json").sha256
    corners_px = frame.result.contours[0].points_px
    assert finding.p95_mm == pytest.approx(frame.errors.p95_mm(corners_px).max())
    # The error as a spread drawn in the reference, and turned into the CT as points are.
    spread = frame.errors.at(corners_px.mean(axis=0)[None])[0]
    drawn = np.random.default_rng(1).multivariate_normal(np.zeros(3), spread, 200_000)
    turned = np.cov(T_REFERENCE_CT.inverse().rotate(drawn).T)
    np.testing.assert_allclose(np.reshape(finding.covariance_mm2, (3, 3)), turned, atol=0.01 * np.trace(spread))


def test_before_the_patient_is_registered_it_lies_in_the_reference_of_this_session(case: Case) -> None:
    finding = kept(case, marked(placed(registered=False), "point", None))
    middle = pose_at(SHOWS_NS).apply(CORNERS_PROBE.mean(axis=0)[None])
    np.testing.assert_allclose(finding.points_mm, middle, atol=1e-3)
    assert (finding.in_frame, finding.registration, finding.shape) == (REFERENCE, "", "point")
    assert finding.marked_in.session == "5e55"
    assert "no place in the CT" in shapes_of([finding])
    with pytest.raises(CaseError, match="of no session"):
        keep_marks(case, marked(placed(registered=False), "point", None), BY, MarkedIn(images="the probe"))


def test_what_is_in_doubt_is_not_marked() -> None:
    doubted = replace(placed(), validity=Validity.SUSPECT, reason="probe suspect: bumped")
    assert marked(doubted, "contour", REGISTERED).why_not == "the frame is suspect: probe suspect: bumped"
    for registration in (None, replace(REGISTERED, T_reference_ct=Transform(np.eye(4), REFERENCE, CT))):
        assert marked(placed(), "contour", registration).why_not == "the registration is just being replaced"
    empty = replace(placed(), result=replace(placed().result, contours=()))
    assert marked(empty, "point", REGISTERED).why_not == NO_CONTOUR


def test_where_a_part_of_the_error_is_not_known_it_has_none(case: Case) -> None:
    finding = kept(case, marked(replace(placed(), errors=None), "contour", REGISTERED))
    assert (finding.p95_mm, finding.covariance_mm2, finding.error_words) == (None, None, "error not known")


def test_the_case_must_have_the_registration(case: Case) -> None:
    unknown = replace(REGISTERED, registration_id="r-0002")
    with pytest.raises(CaseError, match="r-0002"):
        keep_marks(case, marked(placed(), "contour", unknown), BY, MARKED_IN)

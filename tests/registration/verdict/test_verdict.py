"""The verdict: each finding moves it at its stated limit, what is unknown is never accepted, refusals win."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.verdict.verdict import Findings, Verdict, judge
from registration.verdict.verification import Verification
from tests.registration.verdict.harness import GOOD, MARKS, SKIN


def touch(distance_mm: float, kind: str = "landmark") -> Verification:
    return Verification("navel", kind, np.array([distance_mm, 0.0, 0.0]), distance_mm, 2.0)


def marks(**changes: object) -> Findings:
    return replace(GOOD, landmarks=replace(MARKS, **changes))


def skin(**changes: object) -> Findings:
    return replace(GOOD, surface=replace(SKIN, **changes))


def worst(p95_mm: float | None) -> Findings:
    return replace(GOOD, tre_p95_mm={"lesion": 0.8, "pedicle": p95_mm})


def test_a_good_registration_is_accepted_with_a_note_until_it_is_verified() -> None:
    assert judge(GOOD) == Verdict("accept", (), ("not verified by a touch at a landmark that was not used",))
    assert judge(GOOD, [touch(1.0)]) == Verdict("accept")
    # Without landmarks, a touch of one is needed; on the surface it tells one direction only.
    alone = replace(GOOD, landmarks=None)
    assert [judge(alone, [touch(1.0, kind=kind)]).level for kind in ("surface", "landmark")] == ["check", "accept"]
    assert judge(GOOD, [touch(1.0, kind="surface")]).notes


@pytest.mark.parametrize(
    ("findings", "level", "said"),
    [
        (worst(2.0), "accept", None),  # the limit itself is within
        (worst(2.01), "check", "95 % error at 'pedicle' is 2.01 mm"),
        (worst(4.01), "refuse", "'pedicle' is 4.01 mm"),
        (worst(None), "check", "not known: the expected 95 % error at 'pedicle'"),
        (worst(float("nan")), "check", "not known"),
        (worst(float("inf")), "check", "not known"),
        (replace(GOOD, tre_p95_mm={}), "check", "no targets"),
        (skin(converged=False, reason="still moving by 2 mm"), "refuse", "still moving by 2 mm"),
        (skin(converged=None), "refuse", "did not converge"),
        (skin(inlier_fraction=0.8), "accept", None),
        (skin(inlier_fraction=0.79), "check", "79%"),
        (skin(inlier_fraction=0.49), "refuse", "49%"),
        (skin(inlier_fraction=None), "check", "not known"),
        (skin(residual_factor=1.6), "check", "swept points are 1.6 times"),
        (skin(residual_factor=3.1), "refuse", "swept points are 3.1 times"),
        (skin(weakest_sd_mm=1.2), "check", "1.20 mm: sliding along z"),
        (skin(weakest_sd_mm=2.5), "refuse", "sliding along z"),
        (skin(weakest_sd_mm=None), "check", "not known"),
        (marks(residual_factor=1.6), "check", "landmarks are 1.6 times"),
        (marks(residual_factor=3.5), "refuse", "landmarks are 3.5 times"),
        (marks(suspects=("'nose' is 8.0 mm off",)), "check", "'nose' is 8.0 mm off"),
        (marks(suspects=None), "accept", None),  # the surface would notice a wrong landmark
        (marks(disagreement_factor=1.3), "check", "landmarks and surface disagree at a target: 1.3 times"),
        (marks(disagreement_factor=2.3), "refuse", "landmarks and surface disagree"),
        (marks(disagreement_factor=None), "check", "not known"),
        (replace(GOOD, landmarks=None), "check", "the sweep alone"),
        (replace(GOOD, surface=None), "accept", None),
        (replace(GOOD, surface=None, landmarks=replace(MARKS, used=3, suspects=None)), "check", "touch a fourth"),
        (replace(GOOD, surface=None, landmarks=None), "refuse", "no evidence"),
        (Findings(failure="2 landmarks"), "refuse", "2 landmarks"),
    ],
)
def test_every_finding_counts_at_its_limit(findings: Findings, level: str, said: str | None) -> None:
    verdict = judge(findings)
    assert verdict.level == level
    if said is None:
        assert verdict.reasons == ()
    else:
        assert any(said in reason for reason in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(("distance_mm", "level"), [(2.0, "accept"), (2.1, "check"), (3.1, "refuse")])
@pytest.mark.parametrize("kind", ["landmark", "surface"])
def test_a_verification_touch_can_overturn_the_best_registration(distance_mm: float, level: str, kind: str) -> None:
    verdict = judge(GOOD, [touch(0.5), touch(distance_mm, kind)])
    assert verdict.level == level
    assert level == "accept" or "2.00 mm expected" in verdict.reasons[0]


def test_a_touch_whose_expectation_is_unknown_is_not_accepted() -> None:
    assert judge(GOOD, [replace(touch(0.1), expected_p95_mm=float("nan"))]).level == "check"
    assert judge(GOOD, [replace(touch(0.1), expected_p95_mm=0.0)]).level == "check"


def test_refusals_come_first_and_every_reason_is_said() -> None:
    verdict = judge(replace(worst(2.5), surface=replace(SKIN, converged=False, inlier_fraction=0.7)))
    assert verdict.level == "refuse"
    assert [word in reason for word, reason in zip(("converge", "pedicle", "70%"), verdict.reasons, strict=True)] == [
        True
    ] * 3


@given(
    p95_mm=st.none() | st.floats(0.0, 10.0),
    inlier=st.none() | st.floats(0.0, 1.0),
    weakest=st.none() | st.floats(0.0, 5.0),
    factor=st.none() | st.floats(0.0, 5.0),
)
def test_accepted_means_that_everything_is_known_and_within_its_limit(
    p95_mm: float | None, inlier: float | None, weakest: float | None, factor: float | None
) -> None:
    found = replace(
        worst(p95_mm), surface=replace(SKIN, inlier_fraction=inlier, weakest_sd_mm=weakest, residual_factor=factor)
    )
    within = (
        p95_mm is not None and p95_mm <= 2.0,
        inlier is not None and inlier >= 0.8,
        weakest is not None and weakest <= 1.0,
        factor is not None and factor <= 1.5,
    )
    verdict = judge(found)
    assert (verdict.level == "accept") == all(within)
    assert bool(verdict.reasons) == (verdict.level != "accept")

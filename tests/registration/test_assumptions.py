"""What a registration assumes comes back from the record as it was written."""

from __future__ import annotations

import pytest

from registration.assumptions import Assumptions
from registration.errors import AttemptError
from registration.uncertainty.mobility import Mobility
from registration.verdict.verdict import VerdictSettings

UNUSUAL = Assumptions(
    landmark_fle_rms_mm=2.5,
    bare_skin=Mobility(own_mm=4.0, slide_mm=3.0),
    verdict=VerdictSettings(tre_p95_mm=(1.25, 3.0)),
    search_seed=7,
)


@pytest.mark.parametrize("assumed", [Assumptions(), UNUSUAL])
def test_they_come_back_from_the_record(assumed: Assumptions):
    assert Assumptions.from_json(assumed.to_json()) == assumed


def test_what_an_older_record_does_not_know_is_as_by_default():
    assert Assumptions.from_json({"landmark_fle_rms_mm": 2.0}) == Assumptions(landmark_fle_rms_mm=2.0)


def test_nonsense_is_refused():
    with pytest.raises(AttemptError, match="cannot be read"):
        Assumptions.from_json({"landmark_fle_rms_mm": "wide"})

"""A guest's answer becomes structures of the case; a CT outside of its domain is said to be so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from case.nifti_files import write_nifti
from geometry.clock import ManualClock
from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.guests.card import ModelCard, doubts_about
from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import open_guest, read_card
from reconstruction.guests.reading import segment_with
from reconstruction.labels.segments import Segment, SegmentLayers
from reconstruction.pipeline import reconstruct_with_guest
from tests.reconstruction.guests.bundles import write_bundle

CARD = ModelCard(
    name="guest",
    kind="monai",
    path="/nowhere",
    structures=("Left kidney",),
    spacing_mm=(1.5, 1.5, 1.5),
    orientation="RAS",
    intensities_hu=(-200.0, 300.0),
    window=(96, 96, 96),
    files={},
)


def ct_of(hu: float, spacing_mm: float, count: int) -> Volume:
    return Volume(np.full((count,) * 3, hu, np.float32), np.diag([spacing_mm] * 3 + [1.0]))


@pytest.mark.parametrize(
    ("ct", "said"),
    [
        (ct_of(40.0, 1.5, 100), ()),
        (ct_of(40.0, 3.2, 60), ("was made for 1.5 mm",)),
        (ct_of(40.0, 1.5, 40), ("field of view of 60 mm",) * 3),
        (ct_of(800.0, 1.5, 100), ("100% of what is denser",)),
        (ct_of(-1000.0, 1.5, 100), ("no patient",)),
    ],
)
def test_doubts_are_those_that_the_card_gives_reason_for(ct: Volume, said: tuple[str, ...]):
    doubts = doubts_about(CARD, ct)
    assert len(doubts) == len(said)
    assert all(part in doubt for part, doubt in zip(said, doubts, strict=True))


def test_a_card_that_states_nothing_gives_no_reason_for_doubt():
    silent = replace(CARD, spacing_mm=None, window=None, intensities_hu=None)
    assert doubts_about(silent, ct_of(3000.0, 9.0, 4)) == ()


class Given:
    """A guest that answers with labels that were given to it."""

    engine = "none"

    def __init__(self, labels: Volume, *segments: Segment) -> None:
        self.card, self._answer = CARD, SegmentLayers((labels,), segments, "given")

    def segment(self, ct: Volume, progress: object = None) -> SegmentLayers:
        return self._answer


def test_names_stay_the_guests_and_what_is_not_found_is_said(oblique_file: Path):
    scan = read_ct(oblique_file)
    labels = np.zeros(scan.volume.voxels.shape, np.uint16)
    labels[5:20, 10:30, 10:30] = 7
    names = (Segment(7, "Left kidney"), Segment(8, "Spleen"))
    reading = segment_with(Given(scan.volume.with_voxels(labels), *names), scan)
    (structure,) = reading.structures
    assert (structure.name, structure.given_name, structure.value) == ("left_kidney", "Left kidney", 7)
    assert "1 of 2 structures were not found" in reading.warnings
    np.testing.assert_array_equal(reading.layers[0].voxels, labels)
    with pytest.raises(ModelError, match="none of the 2 structures"):
        segment_with(Given(scan.volume.with_voxels(np.zeros_like(labels)), *names), scan)


def test_a_bundle_makes_a_case_that_says_which_network_made_it(oblique_ct: Volume, tmp_path: Path):
    write_nifti(tmp_path / "ct.nii.gz", Volume(oblique_ct.voxels[:14, :18, :18], oblique_ct.affine))
    card = read_card(write_bundle(tmp_path / "tiny"), "tiny")
    made = reconstruct_with_guest(
        tmp_path / "ct.nii.gz",
        tmp_path / "case",
        open_guest(card),
        name="case",
        time="2026-01-02T03:04:05+00:00",
        clock=ManualClock(),
    )
    assert {"left_kidney", "aorta", "spleen"} == set(made.surfaces)
    case = Case.open(tmp_path / "case")
    recorded = case.artefact("labels/labels.nii.gz").made_by.parameters
    assert recorded["network"] == "tiny"
    assert len(recorded["network_sha256"]) == 64
    assert recorded["engine"].startswith("monai 1.")
    assert set(case.structures()) == set(made.surfaces)

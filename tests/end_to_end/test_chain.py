"""From the tracker to the headset, by the commands: the overlay against where the point is, and what was expected."""

from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.chain import IMAGED_LINKS, TOUCHED_LINKS, CommandRefusedError, run_chain
from tests.end_to_end.chain_room import Errors

EXACT = Errors(distortion_mm=0.0, jitter_mm=0.0, hand_mm=0.0, patient_mm=0.0, pixel=0.0, beam_mm=0.0)


def test_without_errors_points_of_the_patient_are_seen_where_they_are(tmp_path: Path):
    """The reference is not as it was designed: only its calibration makes it exact."""
    for overlay in run_chain(np.random.default_rng(0), tmp_path, EXACT):
        assert overlay.error_mm < 2e-3  # single precision on the wire, in m; echoes by 4 decimals


def test_with_errors_they_are_within_what_is_expected_and_each_link_is_told(tmp_path: Path):
    runs = []
    for seed in range(8):
        (folder := tmp_path / str(seed)).mkdir()
        runs.append(run_chain(np.random.default_rng(seed), folder))
    for overlays, links in zip(zip(*runs, strict=True), (TOUCHED_LINKS, IMAGED_LINKS), strict=True):
        assert sum(run.error_mm <= run.expected_p95_mm for run in overlays) >= 5  # of 95 % of 8, four deviations fewer
        assert np.median([run.error_mm / run.expected_p95_mm for run in overlays]) > 0.2  # not by promising little
        for name in links:
            told = np.sqrt(np.mean([run.expected_links_mm[name] ** 2 for run in overlays]))
            made = np.sqrt(np.mean([run.links_mm[name] ** 2 for run in overlays]))
            assert 0.15 < made / told < 2.5, name


def test_a_refused_calibration_ends_the_chain(tmp_path: Path):
    with pytest.raises(CommandRefusedError, match="headset"):
        run_chain(np.random.default_rng(0), tmp_path, Errors(hand_mm=60.0))

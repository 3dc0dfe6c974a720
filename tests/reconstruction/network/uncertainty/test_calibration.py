"""Calibration: a known model is found again, and what belongs to other weights is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.errors import WeightsError
from reconstruction.network.uncertainty.calibration import (
    ENDING,
    PLAIN,
    PLAIN_FAR,
    Calibration,
    calibration_error,
    features,
    fit_logistic,
    load_calibration,
)
from reconstruction.network.weights import load_weights


def test_a_known_model_is_found_again_and_its_probabilities_are_frequencies() -> None:
    rng = np.random.default_rng(5)
    wrong, around = rng.beta(0.5, 2.0, 60_000), rng.beta(0.5, 2.0, 60_000)
    taken = features(wrong, rng.random(60_000), 0.2 * rng.random(60_000), around)
    truth = np.array([-1.0, 0.6, 1.5, 0.5, 0.4])
    happened = rng.random(60_000) < 1.0 / (1.0 + np.exp(-taken @ truth))
    found = fit_logistic(taken, happened, PLAIN)
    np.testing.assert_allclose(found, truth, atol=0.25)
    expected = Calibration(wrong={"bone": found}).wrong_probability("bone", taken)
    assert calibration_error(1.0 - expected, ~happened) < 0.01
    plain = Calibration().wrong_probability("bone", taken)
    np.testing.assert_allclose(plain, np.clip(wrong, 1e-4, 1 - 1e-4), atol=1e-5)
    assert calibration_error(1.0 - plain, ~happened) > 0.05


def test_too_few_voxels_leave_the_plain_model() -> None:
    taken = features(*np.full((4, 20), 0.5))
    assert fit_logistic(taken, np.ones(20, bool), PLAIN_FAR) == PLAIN_FAR


def test_calibration_error_by_hand() -> None:
    said = np.array([0.9, 0.9, 0.9, 0.9, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    assert calibration_error(said, right) == pytest.approx((4 * 0.15 + 2 * 0.05) / 6)


def test_a_calibration_is_read_back_only_for_its_own_weights(tmp_path: Path) -> None:
    weights = replace(load_weights(), onnx=tmp_path / "made.onnx")
    assert load_calibration(weights) == Calibration()
    kept = Calibration(
        wrong={"bone": (0.0, 1.0, 0.5, 0.25, 0.0)}, far={}, border={"bone": PLAIN[:4]}, measured_on="one"
    )
    beside = tmp_path / f"made{ENDING}"
    beside.write_text(json.dumps(kept.to_json(weights)))
    assert load_calibration(weights) == kept
    for broken in (kept.to_json(replace(weights, sha256="0" * 64)), {"schema": "another"}):
        beside.write_text(json.dumps(broken))
        with pytest.raises(WeightsError, match=r"bench_uncertainty"):
            load_calibration(weights)

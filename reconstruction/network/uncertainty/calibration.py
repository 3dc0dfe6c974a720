"""From what the network says to how often it is wrong: measured on a held-out scan, kept beside the weights.

A network's probabilities are no frequencies (Guo et al., ICML 2017). For each class of the answer a logistic model says
how often a voxel of that class is wrong (after Platt 1999). It takes the mean over the passes of the probability of the
class that the answer gives; the entropy of the answer itself, in which the physics of the CT has its say; how far the
passes differ from one another (mutual information, Houlsby et al. 2011); and the first again, averaged over the
neighbourhood, which tells a thick doubt from a border. With the first alone, and a slope, it would be temperature
scaling. A second model of the same form says how often a voxel is wrong by more than `FAR_MM`: those are the errors
that a person should look for, while the rest is a border that is off by a voxel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geometry.points import Bools, Floats, Singles
from reconstruction.network.errors import WeightsError
from reconstruction.network.weights import Weights

SCHEMA, VERSION = "surgnav.uncertainty_calibration", 1
ENDING = ".uncertainty.json"
# Without a calibration: wrong as often as the mean probability says, and far off as often as its neighbourhood's does.
PLAIN = (0.0, 1.0, 0.0, 0.0, 0.0)
PLAIN_FAR = (0.0, 0.0, 0.0, 0.0, 1.0)
# An error counts as far where the class that was given, or the one that was missed, is further away than this.
FAR_MM = 3.0
# A border without a calibration: as wide and as far off as the probabilities say, to the root of the sum of squares.
PLAIN_BORDER = (0.0, 1.0, 1.0, 1.0)
CLIP = 1e-4
FEWEST_VOXELS = 500
# Pulls the model towards PLAIN, as so many voxels would.
RIDGE = 20.0
_STEPS = 30


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured on held-out scans.

    Attributes:
        wrong: class of the answer to the coefficients of its logistic model, as `features` orders them.
        far: the same for errors of more than `FAR_MM`.
        border: structure to the coefficients of `border.expected_error_mm`: a constant in mm, then how much width,
            spread and offset count.
        measured_on: what they were measured on, in words; empty where they were not, and the numbers are the network's
            own.
    """

    wrong: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    far: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    border: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    measured_on: str = ""

    def wrong_probability(self, class_name: str, features: Floats) -> Singles:
        """Probability that voxels of that class in the answer are wrong: ``(n, 5)`` features to ``(n,)``."""
        return _sigmoid(features @ np.array(self.wrong.get(class_name, PLAIN)))

    def far_probability(self, class_name: str, features: Floats) -> Singles:
        """Probability that they are wrong by more than `FAR_MM`."""
        return _sigmoid(features @ np.array(self.far.get(class_name, PLAIN_FAR)))

    def to_json(self, weights: Weights) -> dict[str, Any]:
        """Plain JSON values, tied to the weights that they hold for."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "made_from_sha256": weights.sha256,
            "measured_on": self.measured_on,
            "wrong": _rounded(self.wrong),
            "far": _rounded(self.far),
            "border": _rounded(self.border),
        }


def load_calibration(weights: Weights) -> Calibration:
    """The calibration beside the weights, or the plain one where there is none.

    Raises:
        WeightsError: it is there, but cannot be read, or was measured with other weights.
    """
    path = weights.onnx.with_suffix(ENDING)
    if not path.is_file():
        return Calibration()
    try:
        text = json.loads(path.read_text("utf-8"))
        if (text["schema"], text["version"], text["made_from_sha256"]) != (SCHEMA, VERSION, weights.sha256):
            raise ValueError("of another version, or of other weights")
        return Calibration(
            wrong=_coefficients(text["wrong"], len(PLAIN)),
            far=_coefficients(text["far"], len(PLAIN_FAR)),
            border=_coefficients(text["border"], len(PLAIN_BORDER)),
            measured_on=str(text["measured_on"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the calibration {path.name}, which cannot be used ({type(error).__name__}: {error})",
            "the one measured with these weights",
            "measure it again with benchmarks/reconstruction/bench_uncertainty.py, or remove it",
        ) from error


def features(wrong: Singles, entropy: Singles, mutual_information: Singles, around: Singles) -> Floats:
    """The numbers that the logistic models take: ``(n,)`` each to ``(n, 5)``.

    Args:
        wrong: 1 less the network's mean probability of the class that the answer gives.
        entropy: of the answer, 0 to 1.
        mutual_information: of the passes, 0 to 1.
        around: `wrong`, averaged over the voxel's neighbourhood.
    """
    return np.stack([np.ones(len(wrong)), _log_odds(wrong), entropy, mutual_information, _log_odds(around)], axis=1)


def fit_logistic(taken: Floats, happened: Bools, plain: tuple[float, ...]) -> tuple[float, ...]:
    """Coefficients by Newton's method, with a ridge towards `plain`, which it also gives for too few voxels.

    Args:
        taken: ``(n, 5)`` by `features`.
        happened: ``(n,)`` whether the voxel is wrong.
    """
    coefficients = np.array(plain)
    if len(happened) < FEWEST_VOXELS:
        return plain
    for _ in range(_STEPS):
        expected = _sigmoid(taken @ coefficients).astype(np.float64)
        gradient = taken.T @ (expected - happened) + RIDGE * (coefficients - plain)
        hessian = (taken.T * (expected * (1.0 - expected))) @ taken + RIDGE * np.eye(len(plain))
        step = np.linalg.solve(hessian, gradient)
        coefficients -= step * min(1.0, 2.0 / float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            break
    return tuple(float(value) for value in coefficients)


def calibration_error(expected_right: Singles, right: Bools, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015; Guo et al. 2017): bins of equal width of the confidence."""
    index = np.clip((expected_right * bins).astype(int), 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    said = np.bincount(index, weights=expected_right, minlength=bins)
    found = np.bincount(index, weights=right.astype(np.float64), minlength=bins)
    return float(np.abs(said - found).sum() / max(1, counts.sum()))


def _coefficients(rows: Mapping[str, Any], count: int) -> dict[str, tuple[float, ...]]:
    taken = {name: tuple(float(value) for value in row) for name, row in rows.items()}
    if not all(len(row) == count and np.isfinite(row).all() for row in taken.values()):
        raise ValueError(f"rows of {count} finite coefficients")
    return taken


def _rounded(rows: Mapping[str, tuple[float, ...]]) -> dict[str, list[float]]:
    return {name: [round(value, 5) for value in row] for name, row in rows.items()}


def _log_odds(probability: Singles) -> Floats:
    clipped = np.clip(np.asarray(probability, np.float64), CLIP, 1.0 - CLIP)
    return np.log(clipped / (1.0 - clipped))


def _sigmoid(values: Floats) -> Singles:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50.0, 50.0))), np.float32)

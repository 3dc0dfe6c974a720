"""How sure the network is of its answer: passes, calibration, structures and regions. `measure_uncertainty` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume
from reconstruction.network.classes import OUTSIDE_INDEX, Anatomy
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.segmentation import Segmentation, SegmentationSettings
from reconstruction.network.uncertainty.border import border_lengths_mm, expected_error_mm
from reconstruction.network.uncertainty.calibration import FAR_MM, PLAIN_BORDER, Calibration, load_calibration
from reconstruction.network.uncertainty.evidence import Collected, onto
from reconstruction.network.uncertainty.findings import Finding, on_the_other_side, pieces_too_many
from reconstruction.network.uncertainty.passes import Passes, probability_of, run_passes
from reconstruction.network.uncertainty.regions import Region, described_regions, numbered_regions
from reconstruction.network.uncertainty.settings import DROPOUT, PASSES, Effort, perturbations
from reconstruction.network.weights import Weights, load_weights

SCHEMA, VERSION = "surgnav.uncertainty", 1


@dataclass(frozen=True)
class StructureConfidence:
    """How sure the network is of one structure.

    Attributes:
        expected_dice: the Dice that the calibrated probabilities lead one to expect.
        lowest_dice, highest_dice: the same, moved by as much as the least and the most agreeing pass differ from the
            passes' mean.
        expected_wrong_ml: volume of its voxels that are expected to be something else.
    """

    expected_dice: float
    lowest_dice: float
    highest_dice: float
    expected_wrong_ml: float


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How sure the network is of its answer.

    Attributes:
        effort: how much was spent.
        measured_on: what the calibration was measured on; empty where there is none.
        wrong: probability that the class of a voxel is wrong, on the answer's grid, float32.
        structures: by name.
        regions: for a person to review, worst first.
        findings: what hardly a patient looks like: pieces too many, an organ on the other side.
        passes: what the passes say together, on the network's grid.
        grid: a volume on that grid.
        anatomy: what the network's classes mean.
        calibration: what turned it into frequencies.
    """

    effort: Effort
    measured_on: str
    wrong: Volume
    structures: Mapping[str, StructureConfidence]
    regions: tuple[Region, ...]
    findings: tuple[Finding, ...]
    passes: Passes
    grid: Volume
    anatomy: Anatomy
    calibration: Calibration

    def border_error_mm(self, structure: str, vertices_mm: Floats) -> Floats:
        """How far the structure's border is likely off at each vertex: a standard deviation, ``(n,)`` in mm.

        Args:
            vertices_mm: ``(n, 3)`` in the frame of the grid.
        """
        mean = self.grid.with_voxels(probability_of(self.anatomy, self.passes.mean, structure))
        lengths = border_lengths_mm(vertices_mm, mean, self.passes.variance[structure])
        return expected_error_mm(lengths, self.calibration.border.get(structure, PLAIN_BORDER))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "effort": self.effort,
            "passes": 1 + PASSES[self.effort],
            "dropout": DROPOUT,
            "calibration_measured_on": self.measured_on,
            "far_mm": FAR_MM,
            "structures": {name: asdict(confidence) for name, confidence in self.structures.items()},
            "findings": [finding.to_json() for finding in self.findings],
            "regions": [region.to_json() for region in self.regions],
        }


def measure_uncertainty(
    ct: Volume,
    segmentation: Segmentation,
    effort: Effort,
    settings: SegmentationSettings | None = None,
    weights: Weights | None = None,
    progress: Callable[[float], None] | None = None,
) -> Uncertainty | None:
    """Runs the network again a few times and says how sure the answer is.

    None for the effort ``none``, and for a segmentation that does not say what the network itself gave.

    Args:
        ct: as it was read.
        segmentation: what `segment` made of it.
        settings: those of `segment`.
        weights: those of `segment`.

    Raises:
        EngineError, WeightsError: nothing here can run the network, or its calibration cannot be used.
    """
    own = segmentation.class_probabilities
    if effort == "none" or own is None:
        return None
    settings, weights = settings or SegmentationSettings(), weights or load_weights()
    calibration = load_calibration(weights)
    answer = {name: onto(volume, segmentation.hu) > 0.5 for name, volume in segmentation.probabilities.items()}
    passes = run_passes(
        np.asarray(segmentation.hu.voxels, np.float32),
        np.asarray(own, np.float32),
        answer,
        perturbations(effort, weights.stride),
        weights,
        partial(choose_engine, settings.engine),
        settings.overlap,
        progress,
    )
    collected = Collected(passes, segmentation.hu, segmentation.labels, segmentation.uncertainty)
    wrong, evidence = collected.judged(calibration, segmentation.classes)
    numbers = numbered_regions(evidence.labels, evidence.far, collected.spacing_mm)
    return Uncertainty(
        effort=effort,
        measured_on=calibration.measured_on,
        wrong=segmentation.labels.with_voxels(wrong),
        structures=_structures(segmentation, weights.ct_anatomy, passes, collected, wrong),
        regions=described_regions(evidence, numbers, segmentation.labels, ct, segmentation.classes),
        findings=_findings(segmentation, weights.ct_anatomy, passes),
        passes=passes,
        grid=segmentation.hu,
        anatomy=weights.ct_anatomy,
        calibration=calibration,
    )


def _findings(segmentation: Segmentation, anatomy: Anatomy, passes: Passes) -> tuple[Finding, ...]:
    patient = np.asarray(segmentation.labels.voxels) != OUTSIDE_INDEX
    # Without the room's air, which the network alone takes for lung.
    inside = onto(segmentation.labels.with_voxels(patient.astype(np.float32)), segmentation.hu) > 0.5
    found: list[Finding] = []
    for name, probability in segmentation.probabilities.items():
        if name == "body":
            continue
        network = inside & (probability_of(anatomy, passes.mean, name) > 0.5)
        found += pieces_too_many(name, segmentation.hu.with_voxels(network))
        aside = on_the_other_side(name, probability.with_voxels(np.asarray(probability.voxels) > 0.5), patient)
        found += [] if aside is None else [aside]
    return tuple(found)


def _structures(
    segmentation: Segmentation, anatomy: Anatomy, passes: Passes, collected: Collected, wrong: Singles
) -> dict[str, StructureConfidence]:
    voxel_ml = segmentation.labels.voxel_volume_ml
    found = {}
    for name, probability in segmentation.probabilities.items():
        mask = np.asarray(probability.voxels) > 0.5
        if not mask.any():
            continue
        likely = onto(segmentation.hu.with_voxels(probability_of(anatomy, passes.mean, name)), segmentation.labels)
        of_structure = _probability_in(mask, likely, collected.given, wrong)
        right = float(of_structure[mask].sum(dtype=np.float64))
        dice = 2.0 * right / (float(mask.sum()) + float(of_structure.sum(dtype=np.float64)))
        agreement = np.array(passes.agreement[name])
        found[name] = StructureConfidence(
            expected_dice=round(dice, 3),
            lowest_dice=round(float(np.clip(dice + agreement.min() - agreement.mean(), 0.0, 1.0)), 3),
            highest_dice=round(float(np.clip(dice + agreement.max() - agreement.mean(), 0.0, 1.0)), 3),
            expected_wrong_ml=round((float(mask.sum()) - right) * voxel_ml, 2),
        )
    return found


def _probability_in(mask: Bools, likely: Singles, given: Singles, wrong: Singles) -> Singles:
    """Probability that a voxel is the structure's, by how often the answer is wrong and what the network says instead.

    If the answer's class is wrong, the voxel has one of the others, as likely as the network's mean has them.
    """
    others = np.maximum(1.0 - given, np.float32(1e-3))
    inside = (1.0 - wrong) + wrong * np.clip((likely - given) / others, 0.0, 1.0)
    beside = wrong * np.clip(likely / others, 0.0, 1.0)
    return np.where(mask, inside, beside)

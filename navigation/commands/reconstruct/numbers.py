"""What ``surgnav reconstruct --json`` writes: the numbers of its screen, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconstruction.ct.scan import CtScan
from reconstruction.pipeline import LabelReconstruction, Reconstruction
from reconstruction.surfaces.extract import ExtractedSurface

SCHEMA, VERSION = "surgnav.reconstruction", 1


def by_network_as_json(made: Reconstruction, case: Path) -> dict[str, Any]:
    """A reconstruction by the network, as plain JSON values."""
    segmentation = made.segmentation
    network = {
        "engine": segmentation.engine,
        "weights_sha256": segmentation.weights_sha256,
        "seen_in_training": segmentation.seen_in_training,
        "doubts": made.doubts.to_json(),
        "vertebrae": None if made.spine is None else made.spine.found.to_json(),
        "uncertainty": None if made.uncertainty is None else made.uncertainty.to_json(),
    }
    return _common(made.scan, made.surfaces, made.absent, made.seconds, case) | {"network": network, "labels": None}


def from_labels_as_json(made: LabelReconstruction, case: Path) -> dict[str, Any]:
    """A reconstruction from somebody's labels, as plain JSON values."""
    labels = {"format": made.labels.format, "warnings": list(made.labels.warnings)}
    return _common(made.scan, made.surfaces, made.absent, made.seconds, case) | {"network": None, "labels": labels}


def _common(
    scan: CtScan,
    surfaces: Mapping[str, ExtractedSurface],
    absent: Mapping[str, str],
    seconds: Mapping[str, float],
    case: Path,
) -> dict[str, Any]:
    verdict = scan.verdict
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "case": str(case),
        "source": scan.source,
        "verdict": verdict.level,
        "reasons": list(verdict.reasons),
        "notes": list(verdict.notes),
        "structures": {name: _surface(extracted) for name, extracted in surfaces.items()},
        "absent": dict(absent),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
    }


def _surface(extracted: ExtractedSurface) -> dict[str, Any]:
    simplified = extracted.simplification
    return {
        "volume_ml": round(extracted.surface.volume_ml, 3),
        "triangles": len(extracted.surface.triangles),
        "watertight": extracted.watertight,
        "cut_off_at": list(extracted.open_at_border),
        "simplified_p95_mm": None if simplified is None else round(simplified.distance.p95_mm, 4),
    }

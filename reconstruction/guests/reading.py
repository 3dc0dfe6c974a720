"""A guest's answer for a CT, as a segmentation with its place, its names and its warnings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reconstruction.ct.scan import CtScan
from reconstruction.guests.card import doubts_about
from reconstruction.guests.errors import ModelError
from reconstruction.guests.guest import Guest, Progress
from reconstruction.labels.read import LabelReading, place_layers
from reconstruction.labels.segments import SegmentLayers
from reconstruction.network.grid import to_nearest_lps


def segment_with(guest: Guest, scan: CtScan, progress: Progress | None = None) -> LabelReading:
    """Runs a guest on a CT; its structures keep the guest's names.

    The warnings say where the CT lies outside of what the network was made for, and what it did not find.

    Raises:
        ModelError: the network fails on this CT, or finds nothing in it.
    """
    warnings = doubts_about(guest.card, to_nearest_lps(scan.volume)) + guest.card.notes
    answer = guest.segment(scan.volume, progress)
    present = [set(map(int, np.unique(layer.voxels))) for layer in answer.layers]
    found = tuple(segment for segment in answer.segments if segment.value in present[segment.layer])
    if not found:
        raise ModelError(
            f"none of the {len(answer.segments)} structures of '{guest.card.name}' in this CT",
            f"a CT that shows {', '.join(guest.card.structures[:5])}",
            "check that the CT is what the network was trained on: 'surgnav models show'",
        )
    if len(found) < len(answer.segments):
        warnings += (f"{len(answer.segments) - len(found)} of {len(answer.segments)} structures were not found",)
    placed = place_layers(SegmentLayers(answer.layers, found, answer.format), scan)
    return replace(placed, warnings=tuple(dict.fromkeys(warnings + placed.warnings)))

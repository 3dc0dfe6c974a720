"""``surgnav reconstruct``: by the network, or from somebody's labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from navigation.clock import MonotonicClock
from navigation.commands.reconstruct.labels_screen import render_label_reconstruction
from navigation.commands.reconstruct.numbers import by_network_as_json, from_labels_as_json
from navigation.commands.reconstruct.screen import render_reconstruction
from reconstruction.pipeline import ReconstructionSettings, reconstruct, reconstruct_from_labels


@dataclass(frozen=True)
class GivenLabels:
    """Somebody's segmentation.

    Attributes:
        path: of the file or folder.
        names: the table of its names, where there is one.
        on_ct_grid: labels whose header places them nowhere are the CT's voxels.
    """

    path: Path
    names: Path | None = None
    on_ct_grid: bool = False


def reconstruct_and_render(
    ct: Path,
    case: Path,
    name: str,
    time: str,
    labels: GivenLabels | None,
    settings: ReconstructionSettings,
    progress: Callable[[str, float], None],
    console: Console,
) -> dict[str, Any]:
    """Makes the case, prints what is in it, and returns it as plain JSON values.

    Args:
        time: ISO 8601 with a time zone.
        labels: somebody's segmentation; None to run the network.
    """
    clock = MonotonicClock()
    if labels is None:
        made = reconstruct(ct, case, name=name, time=time, clock=clock, settings=settings, progress=progress)
        render_reconstruction(made, case, console)
        return by_network_as_json(made, case)
    taken = reconstruct_from_labels(
        ct,
        labels.path,
        case,
        name=name,
        time=time,
        clock=clock,
        names_csv=labels.names,
        on_ct_grid=labels.on_ct_grid,
        settings=settings,
        progress=progress,
    )
    render_label_reconstruction(taken, case, console)
    return from_labels_as_json(taken, case)

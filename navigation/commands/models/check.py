"""``surgnav models check``: a network on a small synthetic CT, timed."""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from geometry.clock import StageTimer
from geometry.volume import Volume
from navigation.clock import MonotonicClock
from navigation.commands.models.folders import open_registry, own_network
from navigation.terminal.progress import ProgressLine
from reconstruction.guests.kinds import open_guest
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.segmentation import segment
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom

SPACING_MM, EXTENT_MM = 3.0, 160.0  # a CT that most windows cover whole, and that a CPU segments in a minute


@dataclass(frozen=True, kw_only=True)
class ModelCheck:
    """What a network made of the synthetic CT.

    Attributes:
        name: the network's.
        engine: what ran it.
        volumes_ml: structure -> volume found; a network without skill for phantoms may find nothing.
        seconds: stage -> duration in s.
        peak_mb: most memory that the process has held, in MB.
    """

    name: str
    engine: str
    volumes_ml: dict[str, float]
    seconds: dict[str, float]
    peak_mb: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"schema": "surgnav.model_check", "version": 1} | asdict(self)


def synthetic_ct() -> Volume:
    """The middle of the torso phantom: skin, ribs, spine, lungs, liver."""
    settings = TorsoPhantomSettings(spacing_mm=(SPACING_MM,) * 3)
    ct = make_torso_phantom(settings, np.random.default_rng(0)).ct
    count = round(EXTENT_MM / SPACING_MM)
    first = [max(0, (n - count) // 2) for n in ct.voxels.shape]
    where = tuple(slice(start, start + count) for start in first)
    affine = ct.affine.copy()
    affine[:3, 3] = ct.index_to_mm([first[::-1]])[0]
    return Volume(np.ascontiguousarray(ct.voxels[where]), affine, ct.frame)


def check_model(name: str, progress: ProgressLine) -> ModelCheck:
    """Loads and runs the network of this name.

    Raises:
        ModelError: no such network, or it does not run.
    """
    stages = StageTimer(MonotonicClock(), progress)
    ct = stages.run("synthetic CT", synthetic_ct)
    weights = own_network(name)
    if weights is not None:
        engine = stages.run("load", lambda: choose_engine(weights=weights))
        found = stages.run("segment", lambda: segment(ct, engine=engine, weights=weights))
        ran_on = engine.name
        masks = {structure: np.asarray(p.voxels) > 0.5 for structure, p in found.probabilities.items()}
        voxel_ml = found.labels.voxel_volume_ml
    else:
        guest = stages.run("load", lambda: open_guest(open_registry().card(name)))
        answer = stages.run("segment", lambda: guest.segment(ct, lambda share: progress("segment", 0.99 * share)))
        ran_on = guest.engine
        masks = {s.name: np.asarray(answer.layers[s.layer].voxels) == s.value for s in answer.segments}
        voxel_ml = answer.layers[0].voxel_volume_ml
    volumes = {structure: round(float(mask.sum()) * voxel_ml, 1) for structure, mask in masks.items() if mask.any()}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    seconds = {stage: round(value, 2) for stage, value in stages.seconds.items()}
    return ModelCheck(name=name, engine=ran_on, volumes_ml=volumes, seconds=seconds, peak_mb=round(peak_mb))


def show_check(result: ModelCheck, console: Console) -> None:
    """Structures with their volumes, then time and memory."""
    table = Table("structure", "ml", title=f"found in a synthetic trunk of {EXTENT_MM:g} mm")
    for structure, volume_ml in result.volumes_ml.items():
        table.add_row(escape(structure), f"{volume_ml:.1f}")
    console.print(table)
    if not result.volumes_ml:
        console.print("It runs, and found none of its structures: a phantom is no patient.", highlight=False)
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in result.seconds.items())
    console.print(f"{seconds} s; at most {result.peak_mb:.0f} MB; on {result.engine}", highlight=False, markup=False)

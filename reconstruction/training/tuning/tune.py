"""A network tuned on a site's own labelled scans: taken where it is better on scans that it never saw, else left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from case.atomic import atomic_write
from reconstruction.network.classes import CLASSES
from reconstruction.network.engines.torch_engine import load_network
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.export import write_onnx
from reconstruction.network.weights import Weights, load_weights
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom
from reconstruction.training.tuning.judging import dice_on, largest_loss, mean
from reconstruction.training.tuning.learning import Parameters, between, learn
from reconstruction.training.tuning.settings import TuningSettings
from reconstruction.training.tuning.site import SiteScan, read_site, site_scan

if TYPE_CHECKING:
    import torch

Progress = Callable[[str, float], None]
REPORT = "tuning.json"
FEWEST = 3  # one to learn from, one to choose by, one to judge by
PHANTOM_MM = (372.0, 288.0, 160.0)  # liver, lower lungs, spine and ribs: enough, and quick
HELD_OUT = 0.2  # of the scans, twice: to choose by, and to judge by


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """What tuning brought.

    Attributes:
        parent, parent_sha256: name and SHA-256 of the network that was tuned.
        scans: name of a scan -> ``learn``, ``choose`` or ``judge``.
        unknown: labels that were left out, for the network has no class for them.
        seen: scans to judge by that the old network was itself trained on: their figures are no test.
        share: how far from the old weights to the new ones; 0 where the old network is kept.
        before, after: structure -> mean Dice on the scans to judge by, which no weight and no choice depends on.
        old_before, old_after: structure -> Dice on the scans that guard what the network knew.
        better: whether the tuned network was written.
        reason: why, in words.
        weights: description of the tuned network; empty where the old one is kept.
    """

    parent: str
    parent_sha256: str
    scans: Mapping[str, str]
    unknown: tuple[str, ...]
    seen: tuple[str, ...]
    share: float
    before: Mapping[str, float]
    after: Mapping[str, float]
    old_before: Mapping[str, float]
    old_after: Mapping[str, float]
    better: bool
    reason: str
    weights: str = ""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"schema": "surgnav.tuning", "version": 1} | asdict(self)


def run_tuning(
    parent: Path,
    scans: Path,
    out: Path,
    settings: TuningSettings | None = None,
    progress: Progress | None = None,
    rehearsal: Sequence[SiteScan] | None = None,
) -> TuningResult:
    """Tunes the network of a description on a folder of labelled scans, and writes it if it is better.

    Args:
        parent: description (JSON) of a CT network, as `load_weights` reads it; its ONNX file holds the parameters.
        scans: folder of labelled scans, as `read_site` reads it.
        out: folder for the tuned network and the report ``tuning.json``; made if missing.
        settings: None for the defaults.
        progress: called with the stage and the share done.
        rehearsal: as for `tune`; None for the torso phantom.

    Raises:
        WeightsError, EngineError: the network cannot be read, or is quantised.
        TrainingDataError: fewer than three scans, or one that cannot be learnt from.
    """
    weights, settings = load_weights(parent), settings or TuningSettings()
    show = progress or (lambda stage, share: None)
    show("read scans", 0.0)
    site = read_site(scans, weights)
    _check_enough(site)
    result, tuned = tune(weights, site, rehearsal or phantoms(weights), settings, show)
    out.mkdir(parents=True, exist_ok=True)
    if result.better:
        result = write_tuned(parent, tuned, site, result, out)
    atomic_write(out / REPORT, (json.dumps(result.document(), indent=2) + "\n").encode())
    return result


def tune(
    weights: Weights,
    site: Sequence[SiteScan],
    rehearsal: Sequence[SiteScan],
    settings: TuningSettings,
    show: Progress,
) -> tuple[TuningResult, Parameters]:
    """Tunes and judges: the result, and the parameters that it speaks of.

    Args:
        rehearsal: scans of what the network knows already; the last one guards it, the others are rehearsed.
    """
    parts = _split(site, settings.seed)
    network = load_network(weights)
    old = {name: value.clone() for name, value in network.state_dict().items()}
    judged = dice_on(network, weights, parts["judge"])
    guarded = dice_on(network, weights, rehearsal[-1:])

    def learning(number: int, count: int, loss: float) -> None:
        show(f"window {number} of {count}, loss {loss:.3f}", 0.9 * number / count)

    new = learn(network, weights, parts["learn"], rehearsal[:-1], settings, learning)
    show("choose", 0.95)
    share = _best_share(network, weights, (old, new), parts["choose"], rehearsal[-1:], settings)
    tuned = between(old, new, share)
    network.load_state_dict(tuned)
    after, old_after = dice_on(network, weights, parts["judge"]), dice_on(network, weights, rehearsal[-1:])
    better, reason = _verdict(share, judged, after, settings.largest_loss)
    return TuningResult(
        parent=weights.name,
        parent_sha256=weights.sha256,
        scans={scan.name: part for part, members in parts.items() for scan in members},
        unknown=tuple(sorted({label for scan in site for label in scan.unknown})),
        seen=tuple(scan.name for scan in parts["judge"] if scan.fingerprint in weights.trained_on),
        share=share,
        before=judged,
        after=after,
        old_before=guarded,
        old_after=old_after,
        better=better,
        reason=reason,
    ), tuned


def _best_share(
    network: torch.nn.Module,
    weights: Weights,
    ends: tuple[Parameters, Parameters],
    choose: Sequence[SiteScan],
    guard: Sequence[SiteScan],
    settings: TuningSettings,
) -> float:
    """How far to go from the old parameters to the new ones; 0 where nothing better keeps the guard."""
    guarded, share, best = dice_on(network, weights, guard), 0.0, mean(dice_on(network, weights, choose))
    for candidate in settings.shares:
        network.load_state_dict(between(*ends, candidate))
        if largest_loss(guarded, dice_on(network, weights, guard), settings.known_from) > settings.largest_loss:
            continue
        gained = mean(dice_on(network, weights, choose))
        if gained > best:
            share, best = candidate, gained
    return share


def write_tuned(
    parent: Path, tuned: Parameters, site: Sequence[SiteScan], result: TuningResult, out: Path
) -> TuningResult:
    """Writes ONNX and description; the description last, so that an interrupted export does not look whole.

    Args:
        parent: description of the network that was tuned.
        tuned: the parameters to write.
        site: the scans that the result speaks of.

    Returns:
        The result with the name of the description.
    """
    weights = load_weights(parent)
    network = load_network(weights)
    network.load_state_dict(tuned)
    name = f"{weights.name}_tuned"
    onnx = out / f"{name}.onnx"
    write_onnx(network.eval(), weights.window, onnx, weights.input_name)
    learnt = [scan.fingerprint for scan in site if result.scans[scan.name] != "judge"]
    text = json.loads(parent.read_text("utf-8"))
    text |= {
        "name": name,
        "onnx": onnx.name,
        "sha256": hashlib.sha256(onnx.read_bytes()).hexdigest(),
        "trained_on": [*weights.trained_on, *learnt],
    }
    description = out / f"{name}.json"
    written = TuningResult(**(asdict(result) | {"weights": description.name}))
    text["tuned"] = written.document()
    atomic_write(description, (json.dumps(text, indent=2) + "\n").encode())
    return written


def phantoms(weights: Weights) -> list[SiteScan]:
    """Two scans of the torso phantom with other noise, one to rehearse on and one to guard what the network knew."""
    settings = TorsoPhantomSettings(spacing_mm=(weights.ct_spacing_mm,) * 3, extent_mm=PHANTOM_MM)
    made = [make_torso_phantom(settings, np.random.default_rng(seed)) for seed in (0, 1)]
    names = dict(enumerate(CLASSES))  # the phantom's labels are the five tissues
    return [site_scan(f"phantom {n}", p.ct, [(p.labels, names)], weights) for n, p in enumerate(made)]


def _split(site: Sequence[SiteScan], seed: int) -> dict[str, list[SiteScan]]:
    _check_enough(site)
    order = np.random.default_rng(seed).permutation(len(site))
    count = max(1, round(HELD_OUT * len(site)))
    parts = {"judge": order[:count], "choose": order[count : 2 * count], "learn": order[2 * count :]}
    return {part: [site[int(index)] for index in indices] for part, indices in parts.items()}


def _check_enough(site: Sequence[SiteScan]) -> None:
    if len(site) < FEWEST:
        raise TrainingDataError(
            f"{len(site)} labelled scans",
            f"at least {FEWEST}: to learn from, to choose by and to judge by; ten are better",
            "label more scans",
        )


def _verdict(share: float, before: Mapping[str, float], after: Mapping[str, float], allowed: float) -> tuple[bool, str]:
    if share == 0.0:
        return False, "nothing between the old weights and the new ones is better and keeps what the network knew"
    lost = {name: before[name] - after[name] for name in before if before[name] - after[name] > allowed}
    if lost:
        worst = max(lost, key=lambda name: lost[name])
        return False, f"on the scans to judge by {worst} loses {lost[worst]:.3f} of Dice"
    gain = mean(after) - mean(before)
    if gain <= 0:
        return False, f"on the scans to judge by the mean Dice does not rise ({gain:+.3f})"
    return True, f"on the scans to judge by the mean Dice rises by {gain:.3f}, and no structure loses {allowed:g}"

"""Where networks are: the descriptions of those that were added, and those that other programs keep for themselves."""

from __future__ import annotations

import os
from pathlib import Path

from reconstruction.guests.kinds import check_unchanged
from reconstruction.guests.own import load_own
from reconstruction.guests.registry import Registry
from reconstruction.network.weights import Weights, load_weights, shipped_ct_networks


def model_folder() -> Path:
    """Where descriptions live: ``surgnav/models`` in XDG_DATA_HOME, ~/.local/share by default."""
    configured = os.environ.get("XDG_DATA_HOME", "")
    base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".local" / "share"
    return base / "surgnav" / "models"


def open_registry() -> Registry:
    """The networks that this user has added."""
    return Registry(model_folder(), tuple(shipped_ct_networks()))


def own_network(name: str) -> Weights | None:
    """The network of our own format by this name, shipped or trained here and added; None for one of others.

    Raises:
        ModelError: no such network, or files of it that have changed.
        WeightsError: a shipped one is damaged.
    """
    shipped = shipped_ct_networks()
    if name in shipped:
        return load_weights(shipped[name])
    card = open_registry().card(name)
    if card.kind != "surgnav":
        return None
    check_unchanged(card)
    return load_own(card)


def totalsegmentator_models() -> tuple[Path, ...]:
    """Trained models where TotalSegmentator keeps its own: TOTALSEG_WEIGHTS_PATH, or ~/.totalsegmentator by default."""
    named = os.environ.get("TOTALSEG_WEIGHTS_PATH", "")
    results = Path(named) if named else Path.home() / ".totalsegmentator" / "nnunet" / "results"
    return tuple(sorted(plans.parent for plans in results.glob("Dataset*/*/plans.json")))

"""Where networks are: the descriptions of those that were added, and those that other programs keep for themselves."""

from __future__ import annotations

import os
from pathlib import Path

from reconstruction.guests.registry import Registry

SHIPPED = "surgnav_ct_v1"  # the network in the package, as its description names it


def model_folder() -> Path:
    """Where descriptions live: ``surgnav/models`` in XDG_DATA_HOME, ~/.local/share by default."""
    configured = os.environ.get("XDG_DATA_HOME", "")
    base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".local" / "share"
    return base / "surgnav" / "models"


def open_registry() -> Registry:
    """The networks that this user has added."""
    return Registry(model_folder(), (SHIPPED,))


def totalsegmentator_models() -> tuple[Path, ...]:
    """Trained models where TotalSegmentator keeps its own: TOTALSEG_WEIGHTS_PATH, or ~/.totalsegmentator by default."""
    named = os.environ.get("TOTALSEG_WEIGHTS_PATH", "")
    results = Path(named) if named else Path.home() / ".totalsegmentator" / "nnunet" / "results"
    return tuple(sorted(plans.parent for plans in results.glob("Dataset*/*/plans.json")))

"""Where this user's own files lie (XDG Base Directory Specification)."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """For what can be made or fetched again: ``$XDG_CACHE_HOME/surgnav`` or ``~/.cache/surgnav``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "surgnav"

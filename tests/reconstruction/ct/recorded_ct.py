"""Recorded CT, unpacked from its archive."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpacked(archive: Path, folder: Path, *prefixes: str) -> Path:
    """Unpacks an archive, or only what lies under `prefixes`."""
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar if not prefixes or member.name.startswith(prefixes)]
        tar.extractall(folder, members=wanted)
    return folder

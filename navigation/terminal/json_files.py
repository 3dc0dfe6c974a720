"""The files of ``--json``: checked before the work, written whole at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from case.atomic import atomic_write, sibling


def check_json_file(path: Path | None) -> None:
    """Makes the folder of a file that is to be written, and sees whether it can be, before minutes of work.

    Raises:
        OSError: it cannot.
    """
    if path is None or _is_device(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(21, "a folder", str(path))
    trial = sibling(path)
    try:
        trial.touch()
    finally:
        trial.unlink(missing_ok=True)


def write_json_file(path: Path, document: Mapping[str, Any]) -> None:
    """Writes `document` in full, or leaves what was there; folders that are missing are made."""
    content = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    if _is_device(path):
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)


def _is_device(path: Path) -> bool:
    """Such as /dev/stdout, which must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()

"""The files of ``--json``: checked before the work begins, written atomically at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from case.atomic import atomic_write, sibling


def check_json_file(path: Path | None) -> None:
    """Makes the folder of `path` and checks that a file can be written there, before a command works for minutes.

    Raises:
        OSError: the folder cannot be made, the file cannot be written, or `path` is a folder.
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
    """Writes `document` atomically as JSON, and makes missing folders.

    Raises:
        OSError: the file cannot be written; an earlier file is then unchanged.
    """
    content = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    if _is_device(path):
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, content)


def _is_device(path: Path) -> bool:
    """Whether `path` is a device, such as /dev/stdout, which must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()

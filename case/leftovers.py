"""Removes what killed runs left behind: `.partial-` folders of unfinished cases, and unfinished files.

A folder is cleared only where no living process holds it (see `atomic.held`) and its manifest says that it is a case; a
file in a case only where nobody has touched it for an hour: it is written within seconds, then renamed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from case.atomic import PARTIAL, held

NAME = re.compile(re.escape(PARTIAL) + r"[0-9a-f]{8}-.+")
MANIFEST = "case.json"
SCHEMA = b'"surgnav.case"'
ABANDONED_AFTER_S = 3600.0


@dataclass(frozen=True)
class Leftovers:
    """What was found beside a case and in it.

    Attributes:
        cleared: names of removed files and folders.
        kept: names of those that stay, each with the reason.
    """

    cleared: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def clear_leftovers(case_path: Path, now_s: float) -> Leftovers:
    """Clears what killed runs left in a case's folder and beside it.

    Args:
        case_path: where a case is, or will be; neither needs to exist.
        now_s: seconds since the epoch, as the file system counts them.
    """
    cleared, kept = [], []
    for path, problem in (*_folders(case_path.absolute().parent), *_files(case_path, now_s)):
        if problem is None:
            cleared.append(path.name)
        else:
            kept.append(f"{path.name}: {problem}")
    return Leftovers(tuple(cleared), tuple(kept))


def _folders(parent: Path) -> Iterator[tuple[Path, str | None]]:
    """Removes abandoned folders beside the case; yields each, with the reason where it stays.

    Folders that a running process holds are skipped.
    """
    if not parent.is_dir():
        return
    for path in sorted(parent.glob(f"{PARTIAL}*")):
        if not NAME.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
            continue
        try:
            with held(path, wait=False) as ours:
                if ours:
                    yield path, _removed(path)
        except OSError as error:
            yield path, f"cannot be looked at ({error.strerror})"


def _removed(path: Path) -> str | None:
    """Removes a folder and returns None, or returns why it stays. A case's manifest is always written first."""
    if not _is_our_manifest(path / MANIFEST):
        foreign = [inside.name for inside in path.iterdir() if not NAME.fullmatch(inside.name)]
        if foreign:
            return f"holds '{min(foreign)}' and no {MANIFEST} of a case"
    shutil.rmtree(path, ignore_errors=True)
    return "it could not be removed" if path.exists() else None


def _is_our_manifest(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return SCHEMA in file.read(200)


def _files(case_path: Path, now_s: float) -> Iterator[tuple[Path, str | None]]:
    if not (case_path / MANIFEST).is_file():
        return
    for path in sorted(case_path.rglob(f"{PARTIAL}*")):
        try:
            if path.is_symlink() or not path.is_file() or now_s - path.stat().st_mtime < ABANDONED_AFTER_S:
                continue
            path.unlink()
            yield path, None
        except OSError as error:
            yield path, f"could not be removed ({error.strerror})"

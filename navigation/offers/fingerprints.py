"""SHA-256 of files that are asked for again and again, read again only where a file may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from case.atomic import file_sha256
from navigation.clock import NS_PER_S

# A file system's clock may stand still for some milliseconds (FAT: two seconds): a change within one tick of another
# leaves the times as they were, so that what was written just now is not yet known by them.
_SETTLED_NS = 3 * NS_PER_S

_Stamp = tuple[int, int, int, int, int]


class Fingerprints:
    """Satisfies `case.folder.Fingerprint`; bounded by the files of one case, since others are forgotten.

    Args:
        unix_time_ns: since 1970, the clock of the files' times.
    """

    def __init__(self, unix_time_ns: Callable[[], int], most: int = 4096) -> None:
        self._now_ns, self._most = unix_time_ns, most
        self._known: dict[Path, tuple[_Stamp, str]] = {}

    def of(self, path: Path) -> str:
        """SHA-256 as hexadecimal digits.

        Raises:
            OSError: no such file, none to be read, or one that changed while it was read.
        """
        before = _stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == before:
            return known[1]
        self._known.pop(path, None)
        found = file_sha256(path)
        if _stamp(path) != before:
            raise OSError(f"{path.name} changed while it was read")
        if max(before[3:]) + _SETTLED_NS < self._now_ns() and len(self._known) < self._most:
            self._known[path] = before, found
        return found


def _stamp(path: Path) -> _Stamp:
    """What differs once a file was written or replaced; `utime` can set the one time back, but not the other."""
    status = os.stat(path)  # noqa: PTH116 - half the price of Path.stat, asked of every file of a case
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

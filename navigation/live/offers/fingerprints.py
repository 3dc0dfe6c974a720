"""Caches the SHA-256 of files; a file is read again only if it may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from case.atomic import file_sha256
from navigation.clock import NS_PER_S

# File times have a resolution of some milliseconds (FAT: two seconds). A second change within one step leaves the times
# as they were; so the times identify the content of a file only once this long has passed since its last change.
_SETTLED_NS = 3 * NS_PER_S

_Stamp = tuple[int, int, int, int, int]


class Fingerprints:
    """Satisfies `case.folder.Fingerprint`; caches at most `most` files.

    Args:
        unix_time_ns: returns the time since 1970 in ns, on the clock of the files' times.
        most: largest number of cached files.
    """

    def __init__(self, unix_time_ns: Callable[[], int], most: int = 4096) -> None:
        self._now_ns, self._most = unix_time_ns, most
        self._known: dict[Path, tuple[_Stamp, str]] = {}

    def of(self, path: Path) -> str:
        """SHA-256 of the file's content as hexadecimal digits.

        Raises:
            OSError: the file does not exist, cannot be read, or changed while it was read.
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
    """Values that change if a file is written or replaced; `utime` can set back the time of modification, not ctime."""
    status = os.stat(path)  # noqa: PTH116 - takes half the time of Path.stat, and is called for every file of a case
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

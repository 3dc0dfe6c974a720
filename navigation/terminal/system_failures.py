"""What the operating system refuses, in words: what was wanted, on which file, and what a person can do about it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from case.atomic import PARTIAL
from geometry.errors import SurgNavError

SPACE = "make room on this disk, or choose a folder on another"
FULL = ("a disk with room", SPACE)
READ_ONLY = ("a folder that can be written to", "choose a folder on another disk, or mount this one for writing")
FORBIDDEN = ("what this user may read, and write where something is made", "change its permissions, or choose another")
PATH = ("a path that exists, with folders where folders belong", "check the path")
DEVICE = ("a disk that answers", "check the disk or the network it lies on; copy the data elsewhere")

WORDS = {
    errno.ENOSPC: ("a disk that is full", *FULL),
    errno.EDQUOT: ("a disk on which this user has no room left (quota)", *FULL),
    errno.EFBIG: ("a file larger than is allowed here", "files of this size", SPACE),
    errno.EROFS: ("a disk that is read-only", *READ_ONLY),
    errno.EACCES: ("no permission", *FORBIDDEN),
    errno.EPERM: ("no permission", *FORBIDDEN),
    errno.ENOENT: ("a file or folder that is not there", *PATH),
    errno.ENOTDIR: ("a file where a folder should be", *PATH),
    errno.EEXIST: ("a file where a folder should be", *PATH),
    errno.EISDIR: ("a folder where a file should be", "the name of a file", "give a file's name, not a folder's"),
    errno.ENAMETOOLONG: ("a name that is too long", "names of at most 255 bytes", "choose a shorter name"),
    errno.EMFILE: ("too many open files", "fewer at a time", "raise the limit (ulimit -n), or close other programs"),
    errno.EIO: ("a disk that cannot be read or written (input/output error)", *DEVICE),
    errno.ESTALE: ("a network disk that went away", *DEVICE),
}


class SystemFailureError(SurgNavError):
    """The operating system refused something: no room, no permission, not there."""


def in_words(error: OSError, writing: Iterable[Path] = ()) -> SystemFailureError:
    """The failure as a person reads it.

    Args:
        writing: what the command writes: a write that fails does not say to which file.
    """
    number = error.errno or 0
    what, allowed, action = WORDS.get(
        number, (f"a failure of the system: {error.strerror or error}", "a system that does as asked", "try it again")
    )
    place = _place(error.filename) or " or ".join(f"writing {path}" for path in writing)
    return SystemFailureError(f"{what}{': ' + place if place else ''}", allowed, action)


def _place(name: object) -> str:
    """The path as the person knows it: under the name that a file written aside would have got in the end."""
    if not isinstance(name, str | bytes | os.PathLike):
        return ""
    text = os.fsdecode(name)
    return str(Path(re.sub(re.escape(PARTIAL) + r"[0-9a-f]{8}-", "", text)))

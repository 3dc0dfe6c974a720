"""Messages for failures of the operating system: what failed, on which file, and what a person can do about it."""

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
FORBIDDEN = ("a path that this user may read, and write to where needed", "change its permissions, or choose another")
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
    errno.EMFILE: ("too many open files", "fewer open files", "raise the limit (ulimit -n), or close other programs"),
    errno.EIO: ("a disk that cannot be read or written (input/output error)", *DEVICE),
    errno.ESTALE: ("a network disk that went away", *DEVICE),
}


class SystemFailureError(SurgNavError):
    """The operating system refused an operation: for example no room, no permission, or no such file."""


def in_words(error: OSError, writing: Iterable[Path] = ()) -> SystemFailureError:
    """The failure as an error with a message for a person.

    Args:
        error: what the operating system reported.
        writing: files and folders that the command writes, since a failed write does not name its file.
    """
    number = error.errno or 0
    what, allowed, action = WORDS.get(
        number, (f"a failure of the system: {error.strerror or error}", "an operation that succeeds", "try it again")
    )
    place = _place(error.filename) or " or ".join(f"writing {path}" for path in writing)
    return SystemFailureError(f"{what}{': ' + place if place else ''}", allowed, action)


def _place(name: object) -> str:
    """The path without the temporary name that a file has while it is written atomically."""
    if not isinstance(name, str | bytes | os.PathLike):
        return ""
    text = os.fsdecode(name)
    return str(Path(re.sub(re.escape(PARTIAL) + r"[0-9a-f]{8}-", "", text)))

"""Atomic file writes that survive a power cut, and exclusive locks on folders."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with the same endings, to write to.

    On leaving, the file is flushed to disk and renamed to `path`, replacing what was there; on an exception it is
    removed, and `path` stays as it was.
    """
    temporary = sibling(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, in full or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def sibling(path: Path) -> Path:
    """A hidden path in the same folder that nobody else uses; the name's endings stay, since writers go by them."""
    return path.with_name(f"{PARTIAL}{secrets.token_hex(4)}-{path.name}")


def sync(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def held(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Locks a folder against other processes that use this function; the lock ends with the process.

    Args:
        folder: an existing folder; nothing is written into it.
        wait: wait until another process releases the folder; if False, yield False at once instead.

    Yields:
        Whether the folder is locked; False on a file system without locks.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:  # held by another, or no locks on this file system
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

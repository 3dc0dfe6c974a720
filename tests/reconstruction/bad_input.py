"""One kind of bad input: how it is made, how it must be refused, and words that must be in the message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bad:
    """`make` is given the path, which does not exist yet, of what is then to be read."""

    name: str
    make: Callable[[Path], object]
    error: type[Exception]
    words: tuple[str, ...]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""The blocks of code in the documents, with the line where each begins."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from tests.conftest import REPOSITORY

_BLOCK = re.compile(
    r"^(?P<before>[^\n]*\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```", re.M | re.S
)
_FRAGMENT = re.compile(r"<!-- fragment: (?P<reason>[^>]{10,}) -->")
SHELL = {"bash", "console", "sh"}


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: the document, relative to the repository.
        line: the first line of its text, from 1.
        language: as stated after the fence; may be empty.
        fragment: why it is not run, from ``<!-- fragment: reason -->`` on the line before; None if it is run.
    """

    page: str
    line: int
    language: str
    text: str
    fragment: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str) -> list[Block]:
    """All fenced blocks of one document."""
    blocks = []
    for found in _BLOCK.finditer(text):
        fragment = _FRAGMENT.search(found["before"] or "")
        line = text.count("\n", 0, found.start("text")) + 1
        blocks.append(Block(page, line, found["language"], found["text"], fragment and fragment["reason"]))
    return blocks


def pages() -> dict[str, str]:
    """Every tracked document and its text. Without git, every document of the checkout but those of tools."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\n") if listed.returncode == 0 else _documents()
    return {name: (REPOSITORY / name).read_text("utf-8") for name in names if name and (REPOSITORY / name).is_file()}


def _documents() -> list[str]:
    found = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*.md"))
    return sorted(str(path) for path in found if not any(part.startswith(".") or part == "out" for part in path.parts))


def blocks() -> list[Block]:
    """The blocks of every document."""
    return [block for page, text in pages().items() for block in blocks_of(page, text)]

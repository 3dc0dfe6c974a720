"""The list of deliberate faults, faults.toml: what is changed where, and which tests must notice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError

FAULTS = Path(__file__).with_name("faults.toml")


class FaultListError(SurgNavError):
    """A fault that says nothing any more: the code has moved on, or the entry is not whole."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: what is wrong with the program that has it.
        file: relative to the repository.
        old, new: text that is in the file exactly once, and what stands there instead.
        tests: paths of the tests that must notice, relative to the repository.
        select: pytest's ``-k``, to keep a trial short; empty for all of these tests.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    select: str = ""

    def put_into(self, text: str) -> str:
        """The file's text with the fault.

        Raises:
            FaultListError: the old text is not there exactly once.
        """
        count = text.count(self.old)
        if count != 1:
            raise FaultListError(
                f"fault '{self.name}': its old text is {count} times in {self.file}",
                "once",
                "follow the code, or take the fault out of the list",
            )
        return text.replace(self.old, self.new)


def read_faults(path: Path = FAULTS) -> tuple[Fault, ...]:
    """All faults, in the order of the file.

    Raises:
        FaultListError: an entry with a key that is missing, unknown or empty; a name twice.
    """
    faults = tuple(_fault(entry) for entry in tomllib.loads(path.read_text("utf-8"))["fault"])
    names = [fault.name for fault in faults]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FaultListError(f"faults of one name: {', '.join(twice)}", "each name once", "tell them apart")
    return faults


def picked(faults: tuple[Fault, ...], words: list[str]) -> tuple[Fault, ...]:
    """Those whose name or file contains any of the words; all without words.

    Raises:
        FaultListError: a word that picks none.
    """
    for word in words:
        if not any(_contains(fault, word) for fault in faults):
            raise FaultListError(f"'{word}'", "a part of a fault's name or file", "see them all with --list")
    return tuple(fault for fault in faults if not words or any(_contains(fault, word) for word in words))


def _contains(fault: Fault, word: str) -> bool:
    return word.lower() in fault.name.lower() or word in fault.file


def _fault(entry: dict[str, Any]) -> Fault:
    known = {"name", "file", "old", "new", "tests", "select"}
    needed = known - {"new", "select"}
    whole = set(entry) <= known and "new" in entry and all(entry.get(key) for key in needed)
    if not whole or entry["old"] == entry["new"]:
        raise FaultListError(
            f"the fault {entry.get('name', entry)!r}",
            "name, file, old, another text as new, tests, and select if need be",
            "complete it",
        )
    return Fault(**{**entry, "tests": tuple(entry["tests"])})

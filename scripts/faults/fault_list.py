"""Reads the list of deliberate faults, faults.toml: what is changed where, and which tests must fail."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry.errors import SurgNavError

FAULTS = Path(__file__).with_name("faults.toml")


class FaultListError(SurgNavError):
    """A fault cannot be used: its text is no longer in the code, or its entry is incomplete."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: what is wrong with a program that has this fault.
        file: path of the file, relative to the repository.
        old: text that is in the file exactly once.
        new: the text that replaces it.
        tests: paths of the tests that must fail, relative to the repository.
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
            FaultListError: the old text is not in `text` exactly once.
        """
        count = text.count(self.old)
        if count != 1:
            raise FaultListError(
                f"the fault '{self.name}', whose old text is {count} times in {self.file}",
                "the old text exactly once",
                "follow the code, or take the fault out of the list",
            )
        return text.replace(self.old, self.new)


def read_faults(path: Path = FAULTS) -> tuple[Fault, ...]:
    """All faults, in the order of the file.

    Raises:
        FaultListError: an entry has a missing, unknown or empty key, or two entries have the same name.
    """
    faults = tuple(_fault(entry) for entry in tomllib.loads(path.read_text("utf-8"))["fault"])
    names = [fault.name for fault in faults]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FaultListError(
            f"several faults with the same name: {', '.join(twice)}", "a different name for each", "rename them"
        )
    return faults


def picked(faults: tuple[Fault, ...], words: list[str]) -> tuple[Fault, ...]:
    """The faults whose name or file contains any of the words; all faults without words.

    Raises:
        FaultListError: a word that matches no fault.
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
            "the keys name, file, old, new (another text than old), tests, and optionally select",
            "correct the entry",
        )
    return Fault(**{**entry, "tests": tuple(entry["tests"])})

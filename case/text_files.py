"""Reads text files of other programs (byte order marks, UTF-16, Windows-1252), and JSON without repeated names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# How a file begins that is something else than it was taken for.
BEGINNINGS = {
    b"PK\x03\x04": "a zipped file, such as an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"ply": "a PLY file",
    b"<?xml": "XML",
    b"<": "XML or HTML",
    b"# Markups fiducial file": "3D Slicer's fiducial list (.fcsv)",
    b"# Fiducial List file": "an old fiducial list of 3D Slicer 3 (.fcsv)",
    b"x_reference_mm": "a table of swept points",
    b"{": "JSON",
}


class ContentError(ValueError):
    """A file with unexpected content, which the message names; callers add what they expected."""


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16 by its byte order mark, in UTF-8 without one, or else in Windows-1252.

    Raises:
        OSError: it cannot be read.
        ContentError: it is empty, or no text.
    """
    content = path.read_bytes()
    if not content.strip():
        raise ContentError("an empty file")
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "")
    try:
        text = _decoded(content, encoding)
    except UnicodeDecodeError as error:
        raise ContentError(_what_it_is(content) or f"no text ({error.reason})") from error
    if "\0" in text:
        raise ContentError(_what_it_is(content) or "no text, but bytes")
    if not text.strip():
        raise ContentError("an empty file")
    return text


def read_json(path: Path) -> Any:
    """The document in a JSON file, in which a name may stand only once in each object.

    Raises:
        OSError: it cannot be read.
        ContentError: it is empty, something else than JSON, or holds a name twice (the name is told).
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        what = _what_it_is(text.lstrip().encode())
        if what and what != "JSON":
            raise ContentError(f"{what}, no JSON") from error
        raise ContentError(f"no JSON (line {error.lineno}, column {error.colno}: {error.msg})") from error
    except RecursionError as error:
        raise ContentError("JSON nested too deeply") from error


def _decoded(content: bytes, encoding: str) -> str:
    if encoding:
        return content.decode(encoding)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _what_it_is(content: bytes) -> str:
    return next((what for start, what in BEGINNINGS.items() if content.startswith(start)), "")


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ContentError(f"the name '{name}' twice in one object: which of the two holds, nobody can tell")
        found[name] = value
    return found

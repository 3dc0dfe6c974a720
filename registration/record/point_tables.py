"""Reads points from a table as spreadsheets export it: with any usual separator, decimal points or decimal commas.

The separator is taken from the header, whose column names state frame and unit. Nothing is guessed from the numbers.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from case.text_files import ContentError, read_text
from geometry.points import Floats

SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas"}
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def read_point_table(path: Path, columns: Sequence[str]) -> Floats:
    """The numbers ``(n, 3)`` below a header with exactly these columns.

    Raises:
        OSError: the file cannot be read.
        ContentError: it holds no such table; the error says in which line and why.
    """
    lines = read_text(path).splitlines()
    if lines[0].lower().startswith("sep="):  # Excel's line that names the separator
        lines = lines[1:]
    separator = _separator(lines[0] if lines else "", columns)
    rows = [(number, row) for number, row in enumerate(csv.reader(lines[1:], delimiter=separator), start=2) if any(row)]
    fields = [_three(number, row, separator) for number, row in rows]
    if not fields:
        raise ContentError("a head, and no points below it")
    decimal = _decimal(fields, separator)
    return np.array([[float(field.replace(decimal, ".")) for field in row] for row in fields])


def _separator(head: str, columns: Sequence[str]) -> str:
    for separator in SEPARATORS:
        names = [name.strip().strip('"').lower() for name in head.split(separator)]
        if [name for name in names if name] == list(columns):
            return separator
    if any(re.fullmatch(r"x\w*_(m|cm|inch)", name.strip()) for name in re.split(r"[;,\t]", head.lower())):
        raise ContentError(f"a table whose head says another unit than mm ({head[:80]!r})")
    said = f"the head {head[:80]!r}" if re.search("[a-zA-Z]", head) else "no head, but numbers at once"
    raise ContentError(f"a table with {said}: it names no frame and unit")


def _three(number: int, row: list[str], separator: str) -> list[str]:
    fields = [field.strip() for field in row]
    while len(fields) > 3 and not fields[-1]:  # columns that were cleared, not removed
        fields.pop()
    if len(fields) == 6 and separator == ",":
        raise ContentError(f"six numbers in line {number}, as decimal commas between commas make them")
    if len(fields) != 3:
        raise ContentError(f"{len(fields)} numbers in line {number}, where three belong")
    for field in fields:
        if not NUMBER.fullmatch(field):
            raise ContentError(f"{field[:40]!r} in line {number}, which is no number")
    return fields


def _decimal(fields: list[list[str]], separator: str) -> str:
    """The decimal sign that all numbers use; a point if none has one."""
    text = {sign for row in fields for field in row for sign in ",." if sign in field}
    if text == {",", "."}:
        raise ContentError(f"numbers with decimal commas and with decimal points between {SEPARATORS[separator]}")
    return "," if text == {","} else "."

"""Names of label values: from a CSV, or from the XML that TotalSegmentator writes into a NIfTI header extension."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from case.mesh_files import Colour
from reconstruction.errors import LabelsError
from reconstruction.labels.segments import Segment

VALUE_COLUMNS = ("id", "value", "label", "index", "labelvalue", "label_value", "key")
NAME_COLUMNS = ("name", "structure", "label_name", "labelname", "segment", "text")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
CSV_ALLOWED = "a CSV of two columns: a whole number above 0 and a name; with or without a line of headings"


def read_label_names(path: Path) -> dict[int, str]:
    """Value to name from a CSV (comma, semicolon or tab); value 0 is left out.

    Raises:
        LabelsError: no such file, a value that is no whole number, an empty name, or a value that comes twice.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw[:2] in UTF_16_MARKS else "utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise LabelsError(
            "a table of label names that cannot be read", CSV_ALLOWED, "check the path, and save it as UTF-8"
        ) from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator) if any(row)]
    if not rows:
        raise LabelsError("an empty table of label names", CSV_ALLOWED, "check the file")
    value_at, name_at, first = _columns(rows[0])
    names: dict[int, str] = {}
    for number, row in enumerate(rows[first:], start=first + 1):
        value = row[value_at] if len(row) > value_at else ""
        name = row[name_at] if len(row) > name_at else ""
        if not value.isascii() or not value.isdigit() or not name or int(value) in names:
            raise LabelsError(
                f"line {number} of the label names, which lacks a value or a name, or repeats a value",
                CSV_ALLOWED,
                "correct this line",
            )
        names[int(value)] = name
    return {value: name for value, name in names.items() if value}


def _columns(heading: list[str]) -> tuple[int, int, int]:
    """Returns the columns of value and name, and the first row of data."""
    if heading[0].isdigit():
        return 0, 1, 0
    lower = [cell.lower() for cell in heading]
    values = [lower.index(name) for name in VALUE_COLUMNS if name in lower]
    names = [lower.index(name) for name in NAME_COLUMNS if name in lower]
    if not values or not names:
        raise LabelsError(
            f"a table of label names with {len(heading)} columns, none of which says what it is",
            CSV_ALLOWED,
            f"call them {VALUE_COLUMNS[0]} and {NAME_COLUMNS[0]}",
        )
    return values[0], names[0], 1


def names_in_nifti(header: Any) -> tuple[Segment, ...]:
    """Segments of the label table in a NIfTI header's extensions (Caret XML); empty where there is none.

    Raises:
        LabelsError: a label table that is broken.
    """
    for extension in header.extensions:
        raw = extension.content  # the bytes as they are: nibabel cannot parse extensions of every code
        if b"<LabelTable" in raw:
            return _label_table(raw.strip(b"\0 \r\n\t"))
    return ()


def _label_table(raw: bytes) -> tuple[Segment, ...]:
    try:
        if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:  # a label table needs none, and entities can be made to explode
            raise ValueError("a document type")
        labels = ElementTree.fromstring(raw).iter("Label")
        segments = tuple(
            Segment(int(label.attrib["Key"]), (label.text or "").strip(), _colour(label.attrib)) for label in labels
        )
    except (ElementTree.ParseError, LookupError, ValueError):  # LookupError: an encoding that nobody knows, too
        raise LabelsError(
            "a NIfTI file whose label table is broken",
            "the XML that TotalSegmentator writes",
            "write the segmentation again, or convert it without its header extension and give --label-names",
        ) from None
    return tuple(segment for segment in segments if segment.value > 0)


def _colour(attributes: Mapping[str, str]) -> Colour | None:
    try:
        red, green, blue = (min(1.0, max(0.0, float(attributes[name]))) for name in ("Red", "Green", "Blue"))
    except (KeyError, ValueError):
        return None
    return red, green, blue, 1.0

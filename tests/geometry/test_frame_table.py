"""The frame table in the docs is the one in the code."""

from __future__ import annotations

from pathlib import Path

from geometry.frames import FRAMES

PAGE = Path(__file__).parents[2] / "docs" / "frames.md"


def test_the_page_shows_exactly_the_table_in_the_code() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `") and line.count("|") == 5]
    expected = [f"| `{f.name}` | {f.meaning} | {f.units} | {f.handedness} |" for f in FRAMES]
    assert rows == expected

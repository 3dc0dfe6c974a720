"""Foreign text on a screen: one line, printable, bounded; a real name in any script stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.terminal.foreign_text import fit_for_the_wire, quoted, shown


@pytest.mark.parametrize(
    ("came", "right"),
    [
        ("headset 1", "headset 1"),
        ("手术导航 眼镜", "手术导航 眼镜"),
        ("Ünïté d’Ångström", "Ünïté d’Ångström"),
        ("U\u0308nite\u0301", "U\u0308nite\u0301"),  # the same, decomposed
        ("two\nlines", "two\ufffdlines"),
        ("a\r\n\r\n12:00:00 fine", "a\ufffd12:00:00 fine"),
        ("\x1b[2J\x1b]0;title\x07", "\ufffd[2J\ufffd]0;title\ufffd"),
        ("\x9b31mred", "\ufffd31mred"),  # CSI in one byte, as C1
        ("user\u202egnp.exe", "user\ufffdgnp.exe"),
        ("\u2066isolate\u2069", "\ufffdisolate\ufffd"),
        ("para\u2029graph\u2028line", "para\ufffdgraph\ufffdline"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("no\u00a0break\u3000wide", "no break wide"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("[red]not markup[/red] :bomb:", "[red]not markup[/red] :bomb:"),
    ],
)
def test_what_is_shown(came: str, right: str) -> None:
    assert shown(came) == right


def test_it_is_bounded_and_says_that_it_was_cut() -> None:
    assert shown("x" * 500, 20) == "x" * 19 + "…"
    assert shown("\n" * 500, 20) == "\ufffd…"  # however much of it was nothing
    assert shown("x" * 20, 20) == "x" * 20
    assert quoted("x" * 500, 10) == "'" + "x" * 9 + "…'"


def test_a_tower_of_marks_does_not_cover_the_lines_above() -> None:
    assert shown("Z" + "\u0301" * 50 + "a") == "Z\u0301\u0301a"


@given(st.text(alphabet=st.characters(), max_size=400))
def test_whatever_comes_is_one_bounded_printable_line_that_any_terminal_takes(text: str) -> None:
    line = shown(text, 50)
    assert len(line) <= 50
    assert all(character.isprintable() for character in line)
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in line)
    line.encode("utf-8")
    assert len(fit_for_the_wire(text, 60).encode("utf-8")) <= 60

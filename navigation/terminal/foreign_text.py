"""Sanitises text from a client, a file or another program for the operator's screen.

A line break would let a client write lines of its own, an escape sequence would move the cursor or hide text, and a
bidirectional override would reverse a line. Each of these is replaced by one visible mark, and the length is bounded.
"""

from __future__ import annotations

import re
import unicodedata

REPLACED = "\N{REPLACEMENT CHARACTER}"
CUT = "…"
# Combining marks on one letter: real names have up to two; many of them would cover the lines above.
_MOST_MARKS = 2
_BESIDE_TEXT = re.compile(f"{REPLACED}+")


def shown(text: str, most: int = 120) -> str:
    """The text on one line, printable, in at most `most` characters.

    Each run of characters that are not printable (Unicode: control, format, surrogate, private, unassigned, line and
    paragraph separators) is replaced by one U+FFFD. Printable characters of every script are kept.
    """
    kept: list[str] = []
    marks = 0
    for character in text[: 4 * most]:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks > _MOST_MARKS:
            continue
        if unicodedata.category(character) == "Zs":
            kept.append(" ")
        else:
            kept.append(character if character.isprintable() else REPLACED)
    plain = _BESIDE_TEXT.sub(REPLACED, "".join(kept))
    return plain if len(plain) <= most and len(text) <= 4 * most else plain[: most - 1] + CUT


def quoted(text: str, most: int = 40) -> str:
    """A foreign name in quotation marks, sanitised as by `shown`, for use in a sentence."""
    return f"'{shown(text, most)}'"


def fit_for_the_wire(text: str, most_bytes: int = 900) -> str:
    """The text as a reason that can be sent to clients: sanitised as by `shown`, at most `most_bytes` of UTF-8."""
    return shown(text, most_bytes).encode("utf-8")[:most_bytes].decode("utf-8", "ignore")

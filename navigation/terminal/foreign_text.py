"""Text that somebody else wrote (a client, a file, another program), as it may stand on the operator's screen.

A line break would let a client write lines of its own, an escape sequence move the cursor or hide what is there, a
bidirectional override turn a line around. Each of these becomes one visible mark, and no text is longer than its bound.
"""

from __future__ import annotations

import re
import unicodedata

REPLACED = "\N{REPLACEMENT CHARACTER}"
CUT = "…"
# Letters of real names carry up to two; a tower of them covers the lines above.
_MOST_MARKS = 2
_BESIDE_TEXT = re.compile(f"{REPLACED}+")


def shown(text: str, most: int = 120) -> str:
    """The text on one line, printable, in at most `most` characters.

    What is not printable (Unicode: control, format, surrogate, private, unassigned, line and paragraph separators) is
    replaced by U+FFFD, a run of it by one; whoever has a name in a script without such characters keeps it whole.
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
    """A foreign name as it stands in a sentence."""
    return f"'{shown(text, most)}'"


def fit_for_the_wire(text: str, most_bytes: int = 900) -> str:
    """The text as it may be sent as a reason: bounded in UTF-8, without what no text can hold."""
    return shown(text, most_bytes).encode("utf-8")[:most_bytes].decode("utf-8", "ignore")

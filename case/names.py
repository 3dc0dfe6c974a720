"""Names that files can bear, made from names in any script."""

from __future__ import annotations

import re
import unicodedata

# Letters that no decomposition turns into ASCII.
NO_ACCENTS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss"}
)


def plain_name(text: str, value: int) -> str:
    """A name that files can bear: lower case, digits, ``_`` and ``-``; ``vertebrae_L1`` -> ``vertebrae_l1``.

    Letters that have no like in ASCII are lost, and what is left of the name may be that of another structure: then the
    label's value is part of it: ``肝臓`` of value 1 -> ``label_1``, ``肺 left`` of value 2 -> ``left_2``.
    """
    plain = in_ascii(text)
    lost = any(ord(letter) > 127 and letter.isalnum() for letter in _folded(text))
    return f"{plain or 'label'}_{value}" if lost or not plain else plain


def in_ascii(text: str) -> str:
    """What ASCII has of a text, without accents: lower case, digits, ``_`` and ``-``; empty for other scripts."""
    letters = _folded(text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "_", letters).strip("_-")[:48]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.translate(NO_ACCENTS))

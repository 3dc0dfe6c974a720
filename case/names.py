"""Names that are safe in file names, made from names in any script."""

from __future__ import annotations

import re
import unicodedata

# Letters that no decomposition turns into ASCII.
NO_ACCENTS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss"}
)


def plain_name(text: str, value: int) -> str:
    """Returns a name that is safe in file names: lower case, digits, ``_`` and ``-``; ``vertebrae_L1`` gives
    ``vertebrae_l1``.

    Letters without an ASCII equivalent are dropped. The rest may equal another structure's name, so the label's value
    is then appended: ``肝臓`` of value 1 gives ``label_1``, ``肺 left`` of value 2 gives ``left_2``.
    """
    plain = in_ascii(text)
    lost = any(ord(letter) > 127 and letter.isalnum() for letter in _folded(text))
    return f"{plain or 'label'}_{value}" if lost or not plain else plain


def in_ascii(text: str) -> str:
    """Returns `text` in lower-case ASCII without accents; other characters become ``_``; empty for other scripts."""
    letters = _folded(text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "_", letters).strip("_-")[:48]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.translate(NO_ACCENTS))

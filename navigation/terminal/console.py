"""The terminal that every command writes to: whatever text reaches it, the terminal obeys this program alone.

Names of patients' series, of structures, landmarks and people come from files and clients. Rich keeps markup out of
them where it is escaped, but hands escape sequences and bidirectional overrides on to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

# Control characters but tab and line feed (Rich makes lines of those), C1, marks that turn text around or are invisible
# lines. They take no place on the screen, so that tables stay straight without them.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Terminal(Console):
    """A Rich console whose texts are only ever text; its own colours and cursor movements stay."""

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        for segment in super().render(*arguments, **options):
            if segment.control is None and _OBEYED.search(segment.text):
                yield Segment(_OBEYED.sub("", segment.text), segment.style)
            else:
                yield segment

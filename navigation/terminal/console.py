"""The console that every command writes to; it removes control characters from all text.

Names of CT series, structures, landmarks and people come from files and clients. Rich does not interpret markup in them
where it is escaped, but it passes escape sequences and bidirectional overrides on to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

# C0 and C1 control characters except tab and line feed, bidirectional marks, and line and paragraph separators. They
# have no width on the screen, so that removing them keeps tables aligned.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Terminal(Console):
    """A Rich console that removes control characters from the text, and keeps its own colours and cursor movements."""

    def render(self, *arguments: Any, **options: Any) -> Iterable[Segment]:
        for segment in super().render(*arguments, **options):
            if segment.control is None and _OBEYED.search(segment.text):
                yield Segment(_OBEYED.sub("", segment.text), segment.style)
            else:
                yield segment

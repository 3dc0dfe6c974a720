"""A long command says how far it is: a bar on a terminal, lines now and then where there is none."""

from __future__ import annotations

import io

from rich.console import Console

from navigation.terminal.progress import ProgressLine


def work(progress: ProgressLine) -> None:
    with progress.shown():
        progress("segment", 0.0)
        for percent in (10, 20, 20, 99, 99):  # the same again is no news
            progress("segment", percent / 100)
        progress("segment", 1.0)


def test_without_a_terminal_it_says_so_in_plain_lines() -> None:
    written = io.StringIO()
    work(ProgressLine(Console(file=written, width=80), line_every_s=0.0))
    assert written.getvalue().splitlines() == ["  segment 10%", "  segment 20%", "  segment 99%", "✓ segment"]


def test_quick_stages_write_no_more_than_that_they_are_done() -> None:
    written = io.StringIO()
    work(ProgressLine(Console(file=written, width=80), line_every_s=600.0))
    assert written.getvalue().splitlines() == ["✓ segment"]


def test_on_a_terminal_the_bar_shows_stage_and_share() -> None:
    written = io.StringIO()
    progress = ProgressLine(Console(file=written, width=80, force_terminal=True))
    with progress.shown():
        progress("segment", 0.42)
    assert "segment" in written.getvalue()
    assert "42%" in written.getvalue()
    assert "\n  segment" not in written.getvalue()

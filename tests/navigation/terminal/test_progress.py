"""A long command says how far it is: a bar on a terminal, lines now and then where there is none."""

from __future__ import annotations

import io

import pytest
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
    shares = ["  segment 10%", "  segment 20%", "  segment 99%"]
    assert written.getvalue().splitlines() == [*(f"{share}, about 0 s left" for share in shares), "✓ segment"]


def test_the_time_left_is_that_of_the_stage_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    progress = ProgressLine(Console(file=written, width=80), line_every_s=0.0)
    for at_s, stage, share in [(100, "read", 1.0), (200, "network", 0.0), (230, "network", 0.25)]:
        monkeypatch.setattr("time.monotonic", lambda at_s=at_s: at_s)
        progress(stage, share)
    assert written.getvalue().splitlines()[-1] == "  network 25%, about 90 s left"
    assert progress.where == "network, 25% of it done"


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

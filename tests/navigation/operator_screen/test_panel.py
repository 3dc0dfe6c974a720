"""The panel says how the service stands, each state with a sign besides its colour."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from navigation.live.standing.sweep import SweepStanding
from navigation.operator_screen.panel import StandingPanel
from tests.navigation.live.standing.standings import MS, standing, ultrasound, vitals
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState


def drawn(panel: StandingPanel, now) -> str:
    file = io.StringIO()
    Console(file=file, width=140, color_system=None).print(panel.draw(now))
    return file.getvalue()


def test_what_there_is_is_said():
    said = drawn(StandingPanel(150.0, "q q ends"), standing())
    for words in (
        "newest 100 ms old",
        "registration  ✓ valid",
        "✓ stylus valid   ✗ driver lost (hidden)",
        "headset: passed   tablet: untested",
        "! 0.0 MB in a.mcap, 9 messages lost".replace("! ", "✓ "),
        "✓ 42.0 GB free",
        "recorder: 2 restarts, killed by signal 9",
        "real-time priority 20, core 3 to itself",
        "q q ends",
    ):
        assert words in said, said


def test_rates_and_ages_are_those_of_the_last_seconds():
    panel, first = StandingPanel(150.0, ""), standing(vitals=vitals(*[900] * 50))
    drawn(panel, first)
    # A hundred batches in a second, 3 ms old but for the oldest two; what was before does not count.
    later = vitals(*[900] * 50, *[3] * 98, *[40] * 2, capture_ns=1990 * MS, dropped=4)
    said = drawn(panel, replace(first, now_ns=2000 * MS, vitals=later))
    assert "newest 10 ms old; 100 a second, age 4 ms in the middle, 41 for 99 of 100, 4 frames dropped" in said


def test_what_is_wrong_is_said():
    panel = StandingPanel(50.0, "")
    said = drawn(
        panel,
        standing(
            registration=(Validity.LOST, "not registered"),
            clients=tuple((f"c{number}", SelfTestState.FAILED) for number in range(9)),
            recorder=replace(standing().recorder, problem="disk full"),
            disk_free_bytes=10**9,
        ),
    )
    for words in (
        "✗ newest 100 ms",
        "✗ lost (not registered)",
        "and 3 more",
        "nothing is recorded: disk full",
        "! 1.0 GB",
    ):
        assert words in said, said
    assert "no frame from the tracker yet" in drawn(panel, standing(vitals=vitals(capture_ns=None)))
    assert "not recording" in drawn(panel, standing(recorder=None))


def test_foreign_text_stays_text():
    said = drawn(StandingPanel(50.0, ""), standing(clients=(("x\x1b[2J[/red]", SelfTestState.PASSED),)))
    assert "\x1b" not in said
    assert "[/red]" in said


def test_a_sweep_has_a_line_that_never_calls_it_approved():
    panel = StandingPanel(100.0, "")
    assert "sweep" not in drawn(panel, standing())
    assert "no sweep yet" in drawn(panel, standing(sweep=SweepStanding()))
    running = SweepStanding(
        number=2,
        is_running=True,
        frames=310,
        left_out=4,
        why="no contact",
        triangles=9_000,
        took_s=0.42,
        is_offered=True,
    )
    said = " ".join(drawn(panel, standing(sweep=running)).replace("│", "").split())
    assert (
        "sweep running: 310 frames, 4 left out (no contact); surface of 9000 triangles in 0.4 s, on offer, not approved"
    ) in said
    ended = SweepStanding(number=2, frames=310, lost=7, problem="a hole")
    assert "ended: 310 frames, 7 lost; no surface: a hole, not on offer" in drawn(panel, standing(sweep=ended))


def test_the_live_ultrasound_has_a_line_where_there_is_one():
    panel = StandingPanel(150.0, "")
    assert "ultrasound" not in drawn(panel, standing())
    said = " ".join(drawn(panel, standing(ultrasound=ultrasound())).replace("│", "").split())
    assert (
        "ultrasound ✓ usable, placed in ct, 95 of 100 within 1.8 mm; 25 a second, 41 ms old when placed; moves" in said
    )
    doubted = ultrasound(placing=Validity.SUSPECT, why="the image exchanges left and right")
    assert "! usable, suspect: the image exchanges left and right" in drawn(panel, standing(ultrasound=doubted))
    unplaced = ultrasound(placing=Validity.LOST, why="no pose of probe")
    assert "! usable, not placed: no pose of probe" in drawn(panel, standing(ultrasound=unplaced))
    ended = ultrasound(state="ended", reason="the device has closed the connection; it is opened again")
    said = drawn(panel, standing(ultrasound=ended))
    assert "✗ ended: the device has closed the connection; it is opened again" in said
    assert "a second, 41 ms" not in said

"""``surgnav room watch``: numbers against a truth that is known, and how it shows, ends and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from geometry.frames import REFERENCE, STYLUS
from navigation.cli import app
from navigation.commands.room.numbers import ToolNumbers
from navigation.devices.reader import Received
from navigation.devices.registry import DRIVERS
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.room.opening import SHIPPED
from tests.navigation.devices import scripted
from tests.navigation.devices.scripted import SCRIPTS, Script, both, seen

MS = 1_000_000
ROOM = f"""
[devices.camera]
driver = "{scripted.NAME}"
clock = "sensor"

[tools.reference]
device = "camera"
role = "reference"

[tools.stylus]
device = "camera"
role = "stylus"
"""


@pytest.mark.parametrize("taken_of", [1, 3])
def test_rate_and_jitter_are_those_of_the_device_however_few_frames_were_taken(taken_of: int) -> None:
    rng, numbers = np.random.default_rng(1), ToolNumbers()
    times_ns = [round(number * 4.0 * MS + rng.normal(0.0, 0.3 * MS)) for number in range(3000)]
    for number in range(0, 3000, taken_of):
        numbers.take(seen(STYLUS), times_ns[number], number)
    now_ns = times_ns[-1] + 5 * MS
    assert numbers.rate_hz(now_ns) == pytest.approx(250.0, rel=0.01)
    # The interval of two times with 0.3 ms each.
    assert numbers.jitter_ms(now_ns) == pytest.approx(0.3 * np.sqrt(2.0), rel=0.1)
    assert numbers.age_ms(numbers.capture_ns + 7 * MS) == pytest.approx(7.0)


def test_what_came_again_or_late_is_no_observation_and_old_numbers_go() -> None:
    numbers = ToolNumbers()
    for time_ms in (0, 10, 10, 5, 20):
        numbers.take(seen(STYLUS), time_ms * MS, None)
    assert numbers.rate_hz(20 * MS) == pytest.approx(100.0)
    assert numbers.rate_hz(5000 * MS) is None
    assert numbers.jitter_ms(5000 * MS) is None


def test_why_a_tool_is_gone_is_shown_though_it_has_no_time_of_its_own() -> None:
    numbers = ToolNumbers()
    numbers.take(seen(STYLUS), 10 * MS, None)
    numbers.take(ToolObservation(Visibility.NO_DATA, reason="unplugged"), 10 * MS, None)
    assert numbers.newest.why == "unplugged"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    (tmp_path / "or.toml").write_text(ROOM)
    monkeypatch.setitem(DRIVERS, scripted.NAME, scripted.__name__)
    monkeypatch.setitem(SCRIPTS, "camera", script := Script())
    return script


def watch(path: Path, *options: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["room", "watch", str(path), *options], env={"COLUMNS": "160"})
    assert result.exit_code == code, result.output
    return result.output


def test_the_table_of_the_room_that_ships() -> None:
    said = watch(Path(f"navigation/room/shipped/{SHIPPED[0]}.toml"), "--once")
    assert said.count("device") == 1, "printed once, without a terminal"
    assert said.count("│ valid") == 5 or "stale" in said, said  # on a starved machine
    assert "\x1b" not in said
    assert "simulated: camera_1" in said


class Reader:
    """Presses q once the script was read, and 20 steps more."""

    def __init__(self, script: Script) -> None:
        self.script, self.left = script, 20

    def __call__(self) -> Reader:
        return self

    def __enter__(self) -> Callable[[], bool]:
        return self.is_pressed

    def __exit__(self, *_: object) -> None: ...

    def is_pressed(self) -> bool:
        self.left -= bool(self.script.opened) and self.script.messages.empty()
        return self.left <= 0


def test_lost_and_late_frames_are_counted_a_hidden_tool_says_why_and_q_ends_it(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("navigation.terminal.quit_key.quit_key", Reader(script))
    hidden = {REFERENCE: seen(REFERENCE), STYLUS: ToolObservation(Visibility.OCCLUDED)}
    stamps = [(1, 10), (2, 20), (6, 60), (5, 50), (7, 70)]
    script.messages.put([Received(hidden if n == 7 else both(), ms * MS, n) for n, ms in stamps])
    said = watch(tmp_path / "or.toml")
    row = next(line for line in said.splitlines() if "camera" in line)
    received, lost, late = (int(cell) for cell in row.split("│")[4:7])
    assert (received, lost, late) == (5, 4, 1)
    assert "lost: " in said
    assert script.closed == 1


def test_a_device_that_is_gone_is_shown_and_the_exit_code_says_so(script: Script, tmp_path: Path) -> None:
    script.refusals = [ConnectionRefusedError(111, "Connection refused")] * 50
    said = watch(tmp_path / "or.toml", "--seconds", "0.2", code=3)
    assert "gone: connection refused" in said
    assert "│ lost" in said

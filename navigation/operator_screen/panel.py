"""The lower part of the operator's screen: how the service stands now, redrawn in place, with the keys below.

States have a sign besides their colour: a check, an exclamation mark, a tilde, a cross.
"""

from __future__ import annotations

import numpy as np
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from navigation.clock import NS_PER_S
from navigation.live.pose_vitals import Vitals
from navigation.live.standing.standing import Standing
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.terminal.foreign_text import shown
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState

_SIGNS: dict[Validity, tuple[str, str]] = {
    Validity.VALID: ("✓", "green"),
    Validity.SUSPECT: ("!", "yellow"),
    Validity.STALE: ("~", "yellow"),
    Validity.LOST: ("✗", "red"),
}
_TESTS = {SelfTestState.PASSED: "green", SelfTestState.UNTESTED: "yellow", SelfTestState.FAILED: "red"}
_MOST_DISTANCES = 6
_MOST_CLIENTS = 6
_LOW_DISK_BYTES = 5 * 10**9
_OVER_NS = 10 * NS_PER_S


class StandingPanel:
    """Draws standings one after the other; rates and ages are those of the last ten seconds.

    Args:
        stale_after_ms: age above which poses are not shown as valid.
        keys: what the keys do, in one line.
    """

    def __init__(self, stale_after_ms: float, keys: str) -> None:
        self._stale_after_ms, self._keys = stale_after_ms, keys
        self._past: list[Standing] = []

    def draw(self, standing: Standing) -> Panel:
        """The panel for this standing."""
        self._past = [each for each in self._past if standing.now_ns - each.now_ns <= _OVER_NS]
        self._past.append(standing)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column()
        grid.add_row("poses", self._poses(self._past[0], standing))
        grid.add_row("registration", _state("", standing.registration))
        grid.add_row("tools", _joined([_state(name, state) for name, state in standing.tools.items()]) or Text("none"))
        if standing.ultrasound is not None:
            grid.add_row("ultrasound", _ultrasound(standing.ultrasound))
        if standing.sweep is not None:
            grid.add_row("sweep", Text(shown(standing.sweep.words, 200), "" if standing.sweep.is_running else "dim"))
        grid.add_row("clients", _clients(standing))
        grid.add_row("recorder", _recorder(standing))
        grid.add_row("disk", _disk(standing))
        if standing.scheduling is not None:
            grid.add_row("priority", Text(standing.scheduling.words, "" if standing.scheduling.real_time else "dim"))
        if ended := [process for process in standing.processes if process.restarts or not process.is_running]:
            said = [Text(f"{each.name}: {each.restarts} restarts, {shown(each.why, 60)}", "yellow") for each in ended]
            grid.add_row("processes", _joined(said))
        return Panel(Group(grid, Text(self._keys, "dim")), title="SurgNav, research software", title_align="left")

    def _poses(self, since: Standing, standing: Standing) -> Text:
        seconds = (standing.now_ns - since.now_ns) / NS_PER_S
        ages = standing.vitals.ages_ms - since.vitals.ages_ms
        age_ms = standing.newest_age_ms
        if age_ms is None:
            return Text("✗ no frame from the tracker yet", "red")
        is_old = age_ms > self._stale_after_ms
        text = Text(f"{'✗' if is_old else '✓'} newest {age_ms:.0f} ms old", "red" if is_old else "green")
        if seconds > 0.0 and ages.any():
            rate_hz, dropped = ages.sum() / seconds, _dropped(since.vitals, standing.vitals)
            reached = np.cumsum(ages)
            middle, most = (int(np.searchsorted(reached, share * reached[-1])) + 1 for share in (0.5, 0.99))
            text.append(f"; {rate_hz:.0f} a second, age {middle} ms in the middle, {most} for 99 of 100", "")
            text.append(f", {dropped} frames dropped", "yellow" if dropped else "")
        return text


def _dropped(before: Vitals, now: Vitals) -> int:
    return now.frames_dropped - before.frames_dropped


def _state(name: str, state: tuple[Validity, str]) -> Text:
    validity, reason = state
    sign, colour = _SIGNS[validity]
    said = f"{sign} {shown(name, 30)} {validity.value}" if name else f"{sign} {validity.value}"
    return Text(said + (f" ({shown(reason, 80)})" if reason else ""), colour)


def _clients(standing: Standing) -> Text:
    if not standing.clients:
        return Text("none", "dim")
    told = [Text(f"{shown(name, 30)}: {test.value}", _TESTS[test]) for name, test in standing.clients[:_MOST_CLIENTS]]
    more = len(standing.clients) - len(told)
    return _joined([*told, *([Text(f"and {more} more")] if more else [])])


def _ultrasound(now: UltrasoundStanding) -> Text:
    sign, colour = ("✓", "green") if now.is_shown else ("✗", "red") if now.state != "usable" else ("!", "yellow")
    text = Text(f"{sign} {shown(now.words, 120)}", colour)
    if now.state == "usable" and now.age_ms is not None:
        text.append(
            f"; {now.rate_hz:.0f} a second, {now.age_ms:.0f} ms old when placed; {shown(now.motion, 100)}", "dim"
        )
        for each in now.distances[:_MOST_DISTANCES]:
            text.append(f"\n  {shown(each, 120)}")
    return text


def _recorder(standing: Standing) -> Text:
    recorder = standing.recorder
    if recorder is None:
        return Text("not recording", "dim")
    if recorder.problem:
        return Text(f"✗ nothing is recorded: {shown(recorder.problem, 100)}", "red")
    lost = f", {recorder.lost} messages lost" if recorder.lost else ""
    return Text(
        f"✓ {recorder.written_bytes / 1e6:.1f} MB in {shown(recorder.file, 60)}{lost}", "yellow" if lost else "green"
    )


def _disk(standing: Standing) -> Text:
    free = f"{standing.disk_free_bytes / 1e9:.1f} GB free"
    outlook = None if standing.recorder is None else standing.recorder.outlook
    if outlook is not None and outlook.warning:
        return Text(f"! {shown(outlook.warning, 100)}", "yellow")
    is_low = standing.disk_free_bytes < _LOW_DISK_BYTES
    return Text(f"{'!' if is_low else '✓'} {free}", "yellow" if is_low else "green")


def _joined(texts: list[Text]) -> Text:
    return Text("   ").join(texts)

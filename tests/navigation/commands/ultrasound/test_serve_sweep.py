"""A sweep in ``surgnav serve``: its surface grows at a client over real sockets, never as an approved one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from case.mesh_files import read_surface
from navigation.clock import NS_PER_S, MonotonicClock
from tests.navigation.commands.register.harness import TARGETS, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, Screen, serving
from tests.navigation.commands.ultrasound.scanner_room import room
from tests.navigation.ultrasound.live.scanner import BOX_MM, COLUMNS_MM, GEOMETRY, PERIOD_S, Scanner, film, pose
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.client.surfaces.transfer import PulledSurface
from unity_bridge.wire.convention import surface_from_unity
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import EventAnswer

CLOCK = MonotonicClock()
SWEEP = "ultrasound sweep"
KEYS = "[ultrasound.sweep]\nlevel = 90\nspacing_mm = 0.7\nevery_s = 0.5\n"


def sweeping_room(folder: Path, port: int) -> Path:
    path = room(folder, port)
    path.write_text(path.read_text("utf-8").replace("[devices.plus]", f"{KEYS}[devices.plus]"), "utf-8")
    return path


class Operating:
    """A service that takes sweeps, and a client that shows what nobody has approved."""

    def __init__(self, screen: Screen, client: ReferenceClient) -> None:
        self.screen, self.client = screen, client

    def until(self, condition: Callable[[], object]) -> None:
        assert self.client.poll_until(lambda: bool(condition()), CLOCK.now_ns() + 60 * NS_PER_S), self.screen.said

    def order(self, what: str) -> EventAnswer:
        answers = self.client.control.events.answers
        number = self.client.control.send_event("ultrasound_sweep", name=what)
        self.until(lambda: number in answers)
        return answers[number]

    def begin(self) -> str:
        """Once its process has loaded the program."""
        while (answer := self.order("begin")).came == "a sweep while its process is loading":
            self.client.poll(100)
        assert answer.outcome is EventOutcome.ACCEPTED
        return answer.note

    @property
    def pulled(self) -> PulledSurface | None:
        found = [each for each in self.client.surfaces.surfaces.values() if each.entry.name == SWEEP]
        return found[0] if found else None


@contextmanager
def operating(folder: Path, scanner: Scanner, *options: str) -> Iterator[Operating]:
    case = make_case(folder / "case", TARGETS)
    asked = ("--room", str(sweeping_room(folder, scanner.port)), "--record", str(folder / "recordings"), *options)
    with serving(case, *asked) as screen:
        screen.wait_for("ultrasound usable, placed in reference")
        poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
        endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
        settings = ClientSettings(puller=PullerSettings(allow_suggested=True, refresh_ns=60 * NS_PER_S))
        with ReferenceClient(endpoints, CLOCK, settings) as client:
            operated = Operating(screen, client)
            operated.until(lambda: client.control.may_show)
            yield operated
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0


@pytest.fixture(scope="module")
def scanner() -> Iterator[Scanner]:
    with closing(Scanner(film())) as sending:
        yield sending


def swept_box_mm() -> np.ndarray:
    """The corners of what the probe passes over in a period, ``(2, 3)`` in reference."""
    right, deep = GEOMETRY.size_px
    corners = np.array([[x, y, 1.0] for x in (0, right) for y in (0, deep)]) @ COLUMNS_MM.T
    points = np.concatenate([pose(t_s).apply(corners) for t_s in np.linspace(0.0, PERIOD_S, 200)])
    return np.array([points.min(axis=0), points.max(axis=0)])


def test_it_grows_is_replaced_kept_and_withdrawn_and_never_looks_approved(scanner: Scanner, tmp_path: Path) -> None:
    with operating(tmp_path, scanner, "--research") as operated:
        assert operated.order("end").outcome is EventOutcome.REFUSED
        assert operated.begin() == "the sweep begins"
        assert operated.order("begin").came == "a sweep that runs already"
        operated.until(lambda: operated.pulled)
        first = operated.pulled
        assert (first.entry.approval, first.entry.approved_by, first.entry.frame) == ("suggested", "", "reference")
        operated.until(lambda: operated.pulled and operated.pulled.entry.sha256 != first.entry.sha256)
        assert [each.name for each in operated.client.surfaces.manifest.surfaces].count(SWEEP) == 1
        assert operated.order("end").note == "the sweep ends"
        kept = operated.screen.wait_for(r"the sweep is kept: (\S+)\.nrrd").group(1)
        file = read_surface(Path(f"{kept}_surface.stl"))
        operated.until(lambda: operated.pulled and operated.pulled.level.triangle_count == len(file.triangles))
        check_place(surface_from_unity(operated.pulled.decoded.surface).vertices_mm, file.vertices_mm)
        # What is measured cannot be approved from a headset.
        decided = operated.client.control.send_event(
            "decide_surface",
            name=SWEEP,
            sha256=operated.pulled.entry.sha256,
            person="Dr Test",
            decision="approved",
        )
        operated.until(lambda: decided in operated.client.control.events.answers)
        assert operated.client.control.events.answers[decided].outcome is EventOutcome.REFUSED
        operated.order("begin")
        operated.until(lambda: operated.pulled is None)
        withdrawn = [each for each in operated.client.control.events.take_events() if each.kind == "surface_withdrawn"]
        assert [(each.name, each.reason) for each in withdrawn] == [(SWEEP, "another sweep has begun")]


def check_place(shown_mm: np.ndarray, kept_mm: np.ndarray) -> None:
    """It lies where the probe was, and headset and file have the same surface."""
    low, high = swept_box_mm()
    assert (shown_mm > low - 2.0).all(), "two voxels"
    assert (shown_mm < high + 2.0).all()
    assert (np.ptp(shown_mm, axis=0) > 0.5 * np.ptp(BOX_MM, axis=0) * [0.8, 0.0, 0.5]).all()
    np.testing.assert_allclose(shown_mm.min(axis=0), kept_mm.min(axis=0), atol=0.01)
    np.testing.assert_allclose(shown_mm.max(axis=0), kept_mm.max(axis=0), atol=0.01)


def test_outside_a_research_session_it_is_kept_and_no_headset_gets_it(scanner: Scanner, tmp_path: Path) -> None:
    with operating(tmp_path, scanner) as operated:
        assert "this is no research session" in operated.begin()
        operated.screen.wait_for("nobody has approved it, and this is no research session")
        operated.until(lambda: operated.client.surfaces.manifest is not None)
        for _ in range(200):
            operated.client.poll(10)
        operated.order("end")
        assert Path(operated.screen.wait_for(r"the sweep is kept: (\S+)").group(1)).exists()
        operated.client.surfaces.request_manifest()
        operated.until(lambda: "body" in [each.name for each in operated.client.surfaces.manifest.surfaces])
        assert [each.name for each in operated.client.surfaces.manifest.surfaces] == ["body"]

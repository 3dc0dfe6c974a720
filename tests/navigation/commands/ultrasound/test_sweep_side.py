"""What headsets are offered of a sweep when the registration or its validity changes, or its process ends."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest
import zmq
from rich.console import Console

from geometry.clock import ManualClock
from navigation.commands.serve.sweep_side import SweepSide
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.session_state import SessionState
from navigation.live.standing.sweep import SweepStanding
from navigation.live.state_changes import StateChanges
from navigation.operator_screen.screen import OperatorScreen
from navigation.processes.child import ChildState
from navigation.ultrasound.freehand.sweep_process import SWEEP, Kept, Swept
from registration.record.accepted import AcceptedRegistration
from tests.registration.shapes import T_TRUE, sphere
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.errors import EventRefusedError
from unity_bridge.surfaces.server import SurfaceServer, SurfaceServerSettings
from unity_bridge.wire.envelope import Session, Validity


class Process:
    """Stands for `LiveSweep`: says what the test wants."""

    def __init__(self) -> None:
        self.standing, self.is_running, self.files = SweepStanding(), False, list[str]()
        self.said: list[Swept | Kept] = []
        self.is_ready = True
        self.state = ChildState("sweep process", True, 0, "", 1)

    def begin(self, file: str) -> None:
        self.is_running = True
        self.files.append(file)

    def end(self) -> None:
        self.is_running = False

    def show(self, radius_mm: float) -> None:
        surface = replace(sphere(radius_mm, 2), name=SWEEP)
        self.said.append(Swept(1, encode_levels(surface, LevelSettings(glb=False))))

    def poll(self):
        said, self.said = self.said, []
        return said, ()

    def close(self) -> None:
        self.is_running = False


class Operated:
    """The side with a real surface server."""

    def __init__(self, context: zmq.Context) -> None:
        settings = SurfaceServerSettings(research_session=True)
        session = Session(uuid.uuid4().bytes, ManualClock())
        self.server = SurfaceServer("tcp://127.0.0.1:*", session, context, settings)
        self.told: list[ServerNotice] = []
        self.state = SessionState(PoseGraph(), self.server, lambda graph: None, self.told.append, print)
        self.process = Process()
        self.side = SweepSide(self.process, research_session=True)
        self.said = io.StringIO()
        self.screen = OperatorScreen(Console(file=self.said, width=300), ManualClock(), datetime.now)

    def poll(self) -> str:
        """What the operator is told."""
        before = self.said.tell()
        self.side.poll(SimpleNamespace(state=self.state), self.screen)
        return self.said.getvalue()[before:]

    def seen(self, tool: str, validity: Validity, reason: str = "") -> None:
        self.state.take_changes(StateChanges(((tool, validity, reason),)))

    def register(self, name: str) -> None:
        self.state.update(PoseGraph(registration=AcceptedRegistration(T_TRUE, name, 1.0, "accept", "Dr Test")))

    @property
    def is_offered(self) -> bool:
        return len(self.server.hashes) == 1


@pytest.fixture
def operated() -> Iterator[Operated]:
    context = zmq.Context()
    found = Operated(context)
    found.seen("reference", Validity.VALID)
    found.register("r-0001")
    found.poll()
    found.side.toggle()
    found.process.show(20.0)
    assert "on offer, not approved" in found.poll()
    assert found.is_offered
    yield found
    found.server.close()
    context.term()


def test_a_registration_that_is_renewed_leaves_it_where_it_was_measured_and_says_so(operated: Operated) -> None:
    before = operated.server.hashes
    operated.register("r-0002")
    assert "stays where it was measured: if the reference was moved on the patient, sweep again" in operated.poll()
    assert operated.server.hashes == before
    assert operated.poll() == "", "once"


@pytest.mark.parametrize("doubted", ["reference", PATIENT])
def test_a_registration_that_changes_in_doubt_ends_it(operated: Operated, doubted: str) -> None:
    operated.seen(doubted, Validity.SUSPECT, "the reference was bumped")
    assert operated.poll() == ""
    assert operated.is_offered, "its frame is greyed by what is said of the reference"
    operated.register("r-0002")
    assert "withdrawn: the registration has changed while in doubt (the reference was bumped)" in operated.poll()
    assert not operated.is_offered
    assert not operated.process.is_running
    operated.process.show(25.0)  # what the process made meanwhile
    operated.poll()
    assert not operated.is_offered
    operated.seen(doubted, Validity.VALID)
    operated.side.toggle()
    operated.process.show(25.0)
    operated.poll()
    assert operated.is_offered, "a new sweep is one of the new place"


def test_a_doubt_that_ended_before_is_none(operated: Operated) -> None:
    operated.seen("reference", Validity.SUSPECT, "jumped")
    operated.poll()
    operated.seen("reference", Validity.VALID)
    operated.poll()
    operated.register("r-0002")
    assert "stays where it was measured" in operated.poll()
    assert operated.is_offered


def test_a_reference_that_is_lost_in_doubt_stays_in_doubt(operated: Operated) -> None:
    operated.seen("reference", Validity.SUSPECT, "bumped")
    operated.poll()
    operated.seen("reference", Validity.LOST, "covered")
    operated.poll()
    operated.register("r-0002")
    assert "while in doubt (bumped)" in operated.poll()


def test_without_its_process_nothing_of_it_stays(operated: Operated) -> None:
    operated.process.is_running = False
    operated.process.said.append(Kept(1, None, "its process has ended: sweep again", is_lost=True))
    assert "the sweep is not kept: its process has ended" in operated.poll()
    assert not operated.is_offered
    assert operated.told[-1].reason == "its process has ended: sweep again"


def test_an_ended_sweep_stays_until_it_is_withdrawn_or_another_begins(operated: Operated) -> None:
    operated.side.toggle()
    operated.poll()
    assert operated.is_offered
    operated.side.withdraw()
    operated.poll()
    assert (operated.is_offered, operated.told[-1].reason) == (False, "the operator has withdrawn it")
    operated.side.toggle()
    operated.process.show(10.0)
    operated.poll()
    assert operated.is_offered
    operated.side.toggle()
    operated.side.toggle()
    operated.poll()
    assert (operated.is_offered, operated.told[-1].reason) == (False, "another sweep has begun")


def test_what_reaches_the_level_no_more_is_shown_no_more(operated: Operated) -> None:
    operated.process.said.append(Swept(1, ()))
    operated.poll()
    assert (operated.is_offered, operated.told[-1].reason) == (False, "nothing of the sweep reaches the level")


def test_a_sweep_waits_for_its_process(operated: Operated) -> None:
    operated.side.toggle()
    operated.process.is_ready = False
    operated.side.toggle()
    assert "No sweep: a sweep while its process is loading" in operated.poll()
    assert not operated.process.is_running


def test_orders_that_make_no_sense_are_refused(operated: Operated) -> None:
    with pytest.raises(EventRefusedError, match="runs already"):
        operated.state.order_sweep(True)
    assert operated.state.order_sweep(False) == "the sweep ends"
    with pytest.raises(EventRefusedError, match="no sweep that runs"):
        operated.state.order_sweep(False)
    operated.state.sweep = None
    with pytest.raises(EventRefusedError, match="in a room without one"):
        operated.state.order_sweep(True)

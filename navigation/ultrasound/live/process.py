"""The live ultrasound in a process of its own, and its handle in the service: poses never wait for it."""

from __future__ import annotations

import pickle
import signal
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from geometry import Transform
from geometry.clock import Clock
from geometry.errors import SurgNavError
from geometry.extras import from_extra
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Device
from navigation.devices.kept_clock import KeptClock
from navigation.guidance.new_plan import PlanShelf
from navigation.live.pose_mirror import MirrorReader
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.processes.child import STOP, Child, ChildSettings, ChildState
from navigation.processes.priority import ULTRASOUND, keep_to_itself
from navigation.room.room_file import SweepKeys
from navigation.room.room_images import open_source
from navigation.ultrasound.distances.measure import AtRisk, Distances
from navigation.ultrasound.finding import open_finder, open_judge
from navigation.ultrasound.findings.mark import FlatShape, Marked, marked
from navigation.ultrasound.live.frame_mirror import FrameMirror, frames_address
from navigation.ultrasound.live.frame_tap import UltrasoundTap
from navigation.ultrasound.live.kept_source import KeptSource
from navigation.ultrasound.live.live_loop import LiveLoop
from navigation.ultrasound.live.outgoing import ClientAccess, OutgoingFrames
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FramePipeline
from navigation.ultrasound.placing import ProbeInForce
from registration.record.accepted import AcceptedRegistration

HEARD, ACCEPT_GEOMETRY = "heard", "accept the geometry"
_TELL_EVERY_NS = NS_PER_S // 5
# Half a second of a tracker at 1,000 Hz: longer than a frame takes.
_POSES_KEPT = 512
# As many frames as none can give between two times that it says how it stands.
_NOT_TOLD = 1_000


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """What the process is started with; it can be pickled.

    Attributes:
        device: the device whose images these are.
        probe: the probe's calibrations in force.
        T_probe_tip: its calibrated tip, where it has one.
        model: what `open_finder` takes.
        cache: folder of what was measured of engines.
        recorder: address of the recorder; empty where nothing is recorded.
        access: who is given the frames, and where; None to give them to nobody.
        first_number: of the first frame.
        sweep: how sweeps become volumes; None where there are none, and then frames are mirrored to nobody.
        tips: names of the tools whose tips contours are measured to.
    """

    device: Device
    probe: ProbeInForce
    T_probe_tip: Transform | None
    model: str
    cache: Path
    recorder: str = ""
    access: ClientAccess | None = None
    first_number: int = 1
    sweep: SweepKeys | None = None
    tips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listening:
    """Where clients may ask for frames; sent by the process as soon as it does."""

    port: int


@dataclass(frozen=True)
class NoLonger:
    """The number of a token that admits its client no more; sent to the process."""

    number: int


@dataclass(frozen=True)
class InForce:
    """The registration in force, or None; sent to the process."""

    registration: AcceptedRegistration | None


@dataclass(frozen=True)
class MeasureTo:
    """The file of a `PlanShelf` with the structures that contours are measured to (`AtRisk`); sent to the process."""

    path: str


@dataclass(frozen=True)
class MarkNow:
    """An order to mark the contours of the newest frame, or their middles; answered by what was `Marked`."""

    shape: FlatShape


class LiveUltrasound:
    """The process, which is started again where it ends by itself; call `poll` often.

    Args:
        config: what it is started with.
        poses: address of the `PoseMirror`.
        clock: times the pauses before it is started again.

    Attributes:
        standing: how it stood when it last said so; None before, and while the process does not run.
        port: where it listens for clients, which the next process does too; None before it does.
    """

    def __init__(self, config: LiveConfig, poses: str, clock: Clock) -> None:
        self.standing: UltrasoundStanding | None = None
        self.port: int | None = None
        self._config, self._in_force, self._no_longer = config, InForce(None), list[NoLonger]()
        self._shelf, self._measures = PlanShelf(), list[MeasureTo]()
        self._marked: list[Marked] = []
        self._child = Child(
            "ultrasound process",
            run_live_ultrasound,
            lambda: (self._next_config(), poses),
            clock,
            lambda: [self._in_force, *self._measures, *self._no_longer],
            ChildSettings(niceness=ULTRASOUND),
            lambda message: isinstance(message, UltrasoundStanding),
        )

    @property
    def state(self) -> ChildState:
        """How the process stands."""
        return self._child.state

    def follow(self, registration: AcceptedRegistration | None) -> None:
        """The registration in force; told to the process if it is another one."""
        if registration is not self._in_force.registration:
            self._in_force = InForce(registration)
            self._child.send(self._in_force)

    def accept_geometry(self) -> None:
        """A person has seen that size or depth changed, and goes on with the new one."""
        self._child.send(ACCEPT_GEOMETRY)

    def measure_to(self, at_risk: AtRisk) -> None:
        """Contours are measured to these structures from now on.

        Raises:
            OSError: there is no room for them where the process could read them.
        """
        self._measures = [MeasureTo(self._shelf.put(at_risk))]
        self._child.send(self._measures[-1])

    def mark(self, shape: FlatShape) -> None:
        """Marks the contours of the newest frame, or their middles: `take_marked` has them a moment later."""
        self._child.send(MarkNow(shape))

    def take_marked(self) -> list[Marked]:
        """What was marked since the last call, or why nothing was."""
        taken, self._marked = self._marked, []
        return taken

    def withdraw(self, number: int) -> None:
        """The token with this number admits its client no more."""
        self._no_longer.append(NoLonger(number))
        self._child.send(self._no_longer[-1])

    def poll(self) -> tuple[tuple[str, bool], ...]:
        """Takes what it has said; lines for the operator, each with True if it reports a problem.

        Raises:
            SurgNavError: what keeps it from running at all, such as a model that is not there.
        """
        for said in self._child.poll():
            if isinstance(said, Listening):
                self.port = said.port
            elif isinstance(said, Marked):
                self._marked.append(said)
            else:
                self.standing = said
                self._child.send(HEARD)
        if not self._child.state.is_running:
            self._next_config()
            self.standing = None
        return tuple(self._child.take_news())

    def close(self) -> None:
        """Stops the process; may be called again."""
        self._child.close()
        self._shelf.close()

    def _next_config(self) -> LiveConfig:
        """Clients find the next process where they know it, and its numbers after those that they have."""
        access, standing = self._config.access, self.standing
        if access is not None and self.port is not None:
            access = replace(access, endpoint=f"{access.endpoint.rpartition(':')[0]}:{self.port}")
        used = 0 if standing is None else standing.newest_number + _NOT_TOLD
        self._config = replace(self._config, access=access, first_number=max(self._config.first_number, used))
        return self._config


def run_live_ultrasound(config: LiveConfig, poses: str, pipe: Any) -> None:
    """Entry point of the process.

    It sends where it is `Listening`, then its `UltrasoundStanding` five times a second, each answered by a word, or the
    `SurgNavError` because of which it ends; it receives `InForce`, `MeasureTo`, `MarkNow`,
    which it answers by what was `Marked`, `NoLonger`, `ACCEPT_GEOMETRY` or `STOP`.
    """
    # Ctrl-C at the terminal reaches every process started there; only the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_to_itself()
    with from_extra("ultrasound"):
        import cv2

    cv2.setNumThreads(1)  # its jobs here are too small to share, and the network's threads want the cores
    try:
        with ExitStack() as stack:
            worker = _Worker(config, poses, pipe, stack)
            while worker.takes_orders():
                worker.step()
    except SurgNavError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return  # the service has ended


class _Worker:
    """Connects the loop with the service's pipe and with those who are given its frames."""

    def __init__(self, config: LiveConfig, address: str, pipe: Any, stack: ExitStack) -> None:
        self._pipe, self._clock, self._outgoing = pipe, MonotonicClock(), None
        self._recorded = UltrasoundTap(config.recorder, self._clock)
        stack.callback(self._recorded.close)
        if config.access is not None:
            size_px, number = config.probe.size_px, config.first_number
            self._outgoing = OutgoingFrames(config.access, size_px, number, self._clock, self._recorded.sent)
            stack.callback(self._outgoing.close)
            pipe.send(Listening(self._outgoing.port))
        finder = open_finder(config.model, None, (), self._clock, config.cache)
        finder.find(np.zeros((256, 256), np.uint8), None)  # engines compile at the first call
        self._pipeline = FramePipeline(finder, open_judge(config.model), self._clock)
        poses = MirrorReader(address, kept=_POSES_KEPT)
        stack.callback(poses.close)
        device = config.device.keeping_clock(KeptClock())
        source = KeptSource(lambda: open_source(device, self._clock), self._clock)
        stack.callback(source.close)
        self._timeline = PlacingTimeline(config.probe, config.T_probe_tip)
        self._mirror = None if config.sweep is None else FrameMirror(frames_address(address))
        if self._mirror is not None:
            stack.callback(self._mirror.close)
        self._source = source
        self._distances = Distances(config.tips)
        self._loop = LiveLoop(
            source, self._pipeline, self._timeline, poses.take, finder.name, self._clock, self._distances
        )
        self._may_send, self._told_ns = True, self._clock.now_ns() - _TELL_EVERY_NS

    def step(self) -> None:
        """Handles the newest frame, and tells how it stands if it is time."""
        placed = self._loop.step()
        if placed is not None:
            self._recorded.give(placed)
            if self._mirror is not None:
                self._mirror.offer(placed)
        now_ns = self._clock.now_ns()
        if self._outgoing is not None:
            self._outgoing.poll()
            if placed is not None:
                self._outgoing.give(placed, self._source.name)
            else:
                self._outgoing.say(*self._loop.state_at(now_ns), self._source.name)
        if self._may_send and now_ns - self._told_ns >= _TELL_EVERY_NS:
            self._may_send, self._told_ns = False, now_ns
            number = 0 if self._outgoing is None else self._outgoing.number
            self._pipe.send(self._loop.standing(number))

    def takes_orders(self) -> bool:
        """Does what the service has asked for; False if that is the end."""
        while self._pipe.poll():
            order = self._pipe.recv()
            if order == STOP:
                return False
            if order == HEARD:
                self._may_send = True
            elif order == ACCEPT_GEOMETRY:
                self._pipeline.accept_geometry()
            elif isinstance(order, NoLonger):
                if self._outgoing is not None:
                    self._outgoing.withdraw(order.number)
            elif isinstance(order, MarkNow):
                self._pipe.send(self._marked_now(order.shape))
            elif isinstance(order, MeasureTo):
                self._distances.follow(_read(order.path))
            else:
                self._timeline.registration = order.registration
        return True

    def _marked_now(self, shape: FlatShape) -> Marked:
        """The newest frame's, as long as its contours may be shown."""
        state, reason = self._loop.state_at(self._clock.now_ns())
        placed = self._loop.placed
        if state != USABLE or placed is None:
            return Marked(why_not=f"{state}: {reason}")
        return marked(placed, shape, self._timeline.registration)


def _read(path: str) -> AtRisk:
    """Nothing where the service has put newer ones there meanwhile, or has ended."""
    try:
        at_risk: AtRisk = pickle.loads(Path(path).read_bytes())  # of this program and this user alone
    except OSError:
        return ()
    return at_risk

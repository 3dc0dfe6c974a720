"""The live ultrasound of ``surgnav serve``: its process, and what the operator is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime

from geometry.errors import SurgNavError
from geometry.extras import require_extras
from navigation.clock import NS_PER_S, PacedClock
from navigation.commands.serve.command import ServeRequest
from navigation.commands.serve.marking_side import MarkingSide
from navigation.commands.serve.recorder_side import recordings_of
from navigation.commands.serve.sweep_side import SweepSide
from navigation.devices.driver import Device, Role
from navigation.devices.registry import driver_of
from navigation.live.service import NavigationService, ServiceConfig
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.processes.child import ChildState
from navigation.recorder.writing import RecorderState
from navigation.room.room import Room
from navigation.room.room_images import device_with_images
from navigation.terminal.reporting import now
from navigation.ultrasound.distances.measure import AtRisk
from navigation.ultrasound.freehand.sweep_process import LiveSweep, SweepConfig
from navigation.ultrasound.live.frame_mirror import frames_address
from navigation.ultrasound.live.outgoing import ClientAccess
from navigation.ultrasound.live.process import LiveConfig, LiveUltrasound
from navigation.ultrasound.placing import ProbeInForce
from navigation.user_folders import cache_directory
from registration.record.accepted import AcceptedRegistration
from unity_bridge.wire.envelope import Validity

# What changes to and fro, as contact does while one scans, is said once it lasts.
_LASTS_NS = NS_PER_S
_NUMBERS_EVERY_NS = 10 * NS_PER_S
_PATIENCE_NS = 60 * NS_PER_S  # for a process to begin, on a machine that is busy with other things


class UltrasoundSide:
    """Keeps the ultrasound process as the service is; where it cannot run at all, poses go on.

    Args:
        live: the process.
        clock: times what is said.
        marking: keeps what the operator marks.
        sweep: of a room that wants one.

    Attributes:
        marking, sweep: as given.
    """

    def __init__(
        self, live: LiveUltrasound, clock: PacedClock, marking: MarkingSide, sweep: SweepSide | None = None
    ) -> None:
        self._live, self._clock, self.marking, self.sweep = live, clock, marking, sweep
        self._why_not = ""
        self._said: tuple[str, Validity] | None = None
        self._changing: tuple[str, Validity] | None = None
        self._since_ns = 0
        self._motion = ""
        self._measured_ns = clock.now_ns()

    def await_port(self, screen: OperatorScreen) -> int | None:
        """Where clients are to ask, which they are told when they join; None where it cannot run."""
        until_ns = self._clock.now_ns() + _PATIENCE_NS
        while self._live.port is None and not self._why_not and self._clock.now_ns() < until_ns:
            self.poll(None, screen)
            self._clock.sleep_until_ns(self._clock.now_ns() + NS_PER_S // 50)
        return self._live.port

    @property
    def process(self) -> ChildState:
        """How its process stands."""
        if self._why_not:
            return ChildState(self._live.state.name, False, self._live.state.restarts, self._why_not, None)
        return self._live.state

    @property
    def standing(self) -> UltrasoundStanding | None:
        """How it stands; None while its process does not run."""
        return self._live.standing

    def keep_marks(self, recorder: RecorderState | None, screen: OperatorScreen) -> None:
        """Keeps what the operator has marked, with the recording that it is in."""
        images = "live ultrasound" if self.standing is None else self.standing.source
        if recorder is not None and not recorder.problem:
            images += f", recorded in {recorder.file}"
        self.marking.poll(images, screen)

    def measure_to(self, at_risk: AtRisk, screen: OperatorScreen) -> None:
        """Contours are measured to these structures from now on; to none where they cannot be given to the process."""
        try:
            self._live.measure_to(at_risk)
        except OSError as error:
            screen.say(f"No distances from contours to structures: {error}", WARNING)

    def poll(self, registration: AcceptedRegistration | None, screen: OperatorScreen) -> None:
        """Tells the process what is in force, and the operator what is new."""
        if self._why_not:
            return
        self._live.follow(registration)
        try:
            lines = self._live.poll()
        except SurgNavError as error:
            self._why_not = error.came
            self._live.close()
            screen.say(f"No ultrasound: {error}", WARNING)
            return
        for line, is_bad in lines:
            screen.say(line, WARNING if is_bad else PLAIN)
        if self._live.standing is not None:
            self._tell(self._live.standing, screen)

    def _tell(self, now: UltrasoundStanding, screen: OperatorScreen) -> None:
        stands, now_ns = (now.state, now.placing), self._clock.now_ns()
        if stands != self._changing:
            self._changing, self._since_ns = stands, now_ns
        if stands != self._said and (self._said is None or now_ns - self._since_ns >= _LASTS_NS):
            self._said = stands
            screen.say(f"ultrasound {now.words}", PLAIN if now.is_shown else WARNING)
        if now.motion != self._motion and now.motion.startswith("moves"):
            screen.say(f"ultrasound {now.motion}")
        self._motion = now.motion
        if now.distances and now_ns - self._measured_ns >= _NUMBERS_EVERY_NS:
            self._measured_ns = now_ns
            screen.say(f"ultrasound {'; '.join(now.distances)}")


def open_ultrasound(room: Room, devices: Sequence[Device], clock: PacedClock) -> LiveConfig | None:
    """What the ultrasound process of a room is started with; None where the room file wants none.

    Args:
        devices: those of the room, as the service has them.

    Raises:
        RoomError: no probe, no calibrations of it in force, or no images.
        MissingExtraError: what finds contours is not installed.
    """
    if room.ultrasound is None:
        return None
    require_extras("ultrasound", *(("reconstruction", "pictures") if room.ultrasound.sweep else ()))
    tool = room.the_tool(Role.PROBE)
    for device in devices if tool.rack_name is None else ():
        if tool.name in device.tool_names and (rehearsed := driver_of(device.driver).rehearse_probe(device, now())):
            tool = replace(tool, rack_name=tool.name, calibrations=rehearsed)
    return LiveConfig(
        device=device_with_images(room.name, devices, clock),
        probe=ProbeInForce.of(tool),
        T_probe_tip=tool.T_tool_tip,
        model=room.ultrasound.model,
        sweep=room.ultrasound.sweep,
        cache=cache_directory() / "engines",
    )


@contextmanager
def ultrasound_side(
    request: ServeRequest,
    config: LiveConfig | None,
    service: NavigationService,
    served: ServiceConfig,
    screen: OperatorScreen,
    clock: PacedClock,
) -> Iterator[UltrasoundSide | None]:
    """The live ultrasound while the block runs; None where the room wants none.

    Args:
        service: not entered yet.
        served: its settings, with the address of its `PoseMirror`.
    """
    if config is None:
        yield None
        return
    screen.say(config.probe.line(datetime.now().astimezone()))
    session_id, secret = service.ultrasound_access
    access = ClientAccess(
        endpoint=f"tcp://{request.bind}:*", session_id=session_id, admission_secret=secret, security=served.security
    )
    tips = tuple(name for name in served.graph.tips if name != config.probe.name)
    config = replace(config, access=access, recorder=served.recorder, tips=tips)
    with ExitStack() as stack:
        sweep = None
        if config.sweep is not None:
            frames = frames_address(served.pose_mirror)
            swept = SweepConfig(probe=config.probe, frames=frames, keys=config.sweep, folder=recordings_of(request))
            sweep = SweepSide(stack.enter_context(closing(LiveSweep(swept, clock))), research_session=request.research)
        live = stack.enter_context(closing(LiveUltrasound(config, served.pose_mirror, clock)))
        service.also_withdraw = live.withdraw
        marking = MarkingSide(request, live, config.probe, served.devices, session_id)
        side = UltrasoundSide(live, clock, marking, sweep)
        service.ultrasound_port = side.await_port(screen)
        yield side

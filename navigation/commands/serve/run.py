"""``surgnav serve``: streams one case to headsets until it is stopped; what happens is said on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import time_ns

from rich.console import Console

from case.case import Case
from geometry import Surface, SurgNavError
from navigation.acquisition.stylus import Stylus
from navigation.clock import MonotonicClock
from navigation.commands.keys.run import key_folder
from navigation.commands.serve.command import ServeRequest
from navigation.commands.serve.guidance_side import GuidanceSide, GuidedCase, guided_case, open_guidance
from navigation.commands.serve.link_side import LinkSide, link_side
from navigation.commands.serve.recorder_side import recorder_side
from navigation.commands.serve.standing_side import standing_side
from navigation.commands.serve.ultrasound_side import UltrasoundSide, open_ultrasound, ultrasound_side
from navigation.devices.driver import CasePatient, ReadSkin, Role
from navigation.devices.registry import driver_of
from navigation.errors import ServiceError
from navigation.headset.event_handler import HeadsetEventSettings
from navigation.headset.server_keys import open_security
from navigation.live.offers.case_view import CaseView
from navigation.live.offers.case_watch import CaseWatch
from navigation.live.offers.follow import CaseFollower, News
from navigation.live.offers.level_maker import LevelMaker
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_mirror import mirror_address
from navigation.live.refusals import EVENTS_LOG
from navigation.live.service import NavigationService, ServiceConfig
from navigation.live.supervisor import SupervisorSettings
from navigation.live.watches.recheck import Recheck
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen, logs_on
from navigation.operator_screen.stream_report import StreamReport
from navigation.room.opening import about_patient, choose_room, open_session
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from navigation.terminal.patience import saying
from navigation.terminal.reporting import now
from navigation.ultrasound.distances.measure import AtRisk
from navigation.ultrasound.live.process import LiveConfig
from unity_bridge.transport.endpoints import is_local

POLL_MS = 5


def serve(request: ServeRequest, console: Console, should_stop: Callable[[], bool]) -> None:
    """Runs until `should_stop`.

    Raises:
        SurgNavError: whatever keeps the service from starting, or ends it.
    """
    room = choose_room(request.tracker, request.room, request.seed)  # mistakes are told before anything is read
    clock = MonotonicClock()
    screen = OperatorScreen(console, clock, datetime.now)
    watch = CaseWatch(request.case, clock, time_ns)
    preparing = "looking at the case, opening the room"
    with console.status(preparing), saying(screen.say, preparing):
        view = watch.look()
        config = _configured(request, room, view, clock)
        guided = open_guidance(request, config.graph.tips, now(), screen.say)
    placed = open_ultrasound(room, config.devices, clock)
    config = replace(config, graph=replace(config.graph, registration=view.registration), guidance=guided.setup)
    with (
        mirror_address(request.openigtlink is not None or placed is not None) as mirror,
        logs_on(screen, EVENTS_LOG),
        recorder_side(request, config.devices) as recorder,
        _with_ultrasound(
            request, replace(config, recorder=recorder.address, pose_mirror=mirror), placed, screen, clock
        ) as (service, ultrasound),
        closing(LevelMaker(clock)) as maker,
        link_side(request, service, config.supervisor, mirror, clock) as link,
        standing_side(request, config.supervisor, clock, console, placed) as standing,
    ):
        _say_where(service, room, screen)
        follower = CaseFollower(watch, maker, service.state, clock, research_session=request.research)
        _tell(follower.follow(view), screen)
        ages, recheck = StreamReport(config.supervisor.stale_after_ms, clock.now_ns()), Recheck(room.verify_after_min)
        guidance = _guidance(request, guided, service, ultrasound, screen)
        while not (should_stop() or standing.is_to_end):
            for event in service.poll(POLL_MS):
                screen.event(event)
            _tell(follower.poll(), screen)
            _tell_of(service, ages, recheck, clock, screen)
            guidance.poll(follower.view, clock.now_ns())
            recorder.poll(service, screen)
            _poll_beside(link, ultrasound, service, follower.view, screen)
            standing.poll(service, link, recorder, ultrasound, screen)
            screen.poll()
        service.stop()


@contextmanager
def _with_ultrasound(
    request: ServeRequest,
    config: ServiceConfig,
    placed: LiveConfig | None,
    screen: OperatorScreen,
    clock: MonotonicClock,
) -> Iterator[tuple[NavigationService, UltrasoundSide | None]]:
    """The service, and before it the ultrasound process, of which every client is told as it joins."""
    service = NavigationService(config, screen.say)
    with ultrasound_side(request, placed, service, config, screen, clock) as ultrasound, service:
        yield service, ultrasound


def _guidance(
    request: ServeRequest,
    guided: GuidedCase,
    service: NavigationService,
    ultrasound: UltrasoundSide | None,
    screen: OperatorScreen,
) -> GuidanceSide:
    """The guidance, whose structures at risk ultrasound is measured to as well."""

    def measure_to(at_risk: AtRisk) -> None:
        if ultrasound is not None:
            ultrasound.measure_to(at_risk, screen)

    make = partial(guided_case, request, service.state.graph.tips)
    return GuidanceSide(guided, service, screen, make, measure_to)


def _poll_beside(
    link: LinkSide | None,
    ultrasound: UltrasoundSide | None,
    service: NavigationService,
    view: CaseView | None,
    screen: OperatorScreen,
) -> None:
    """What runs beside the poses where it was asked for."""
    if link is not None:
        link.poll(view, screen)
    if ultrasound is not None:
        ultrasound.poll(service.state.graph.registration, screen)
        if ultrasound.sweep is not None:
            ultrasound.sweep.poll(service, screen)


def _tell_of(
    service: NavigationService, ages: StreamReport, recheck: Recheck, clock: MonotonicClock, screen: OperatorScreen
) -> None:
    """Says what is new about the pose process, ages and the headsets' overlays, and what keeps headsets from acting."""
    overlays = () if service.overlays is None else service.overlays.lines()
    for line, is_bad in (*service.take_news(), *ages.lines(service.vitals(), clock.now_ns()), *overlays):
        screen.say(line, WARNING if is_bad else PLAIN)
    if problem := service.events_problem:
        problem = f"Nothing can be done from a headset: {problem}"
    screen.say_if_new("headset events", problem)
    _remind(service, recheck, screen)


def _remind(service: NavigationService, recheck: Recheck, screen: OperatorScreen) -> None:
    """Says here and at every headset that the registration should be verified."""
    if due := recheck.news(service.state.graph.registration, datetime.now().astimezone()):
        screen.say(due, WARNING)
        service.notify(due)


def _simulated_skin(case: Case, view: CaseView) -> Surface:
    """The surface that the simulated patient is made of."""
    structure = next((name for name in ("skin", "body") if name in case.structures()), None)
    if structure is None:
        raise ServiceError(
            f"a rehearsal of a case with {', '.join(case.structures()) or 'no surface'}",
            "a case with the surface 'skin' or 'body', on which the simulated stylus moves",
            "reconstruct the case from a CT that shows the skin",
        )
    try:
        return case.read_surface(structure)
    except SurgNavError as error:
        problems = (standing.problem for standing in view.surfaces if standing.structure == structure)
        raise ServiceError(
            f"the surface '{structure}', which the simulated patient is made of: {next(problems, '') or error.came}",
            "a surface whose file is as it was made",
            "restore the file, or reconstruct the case again",
        ) from error


def _configured(request: ServeRequest, room: Room, view: CaseView, clock: MonotonicClock) -> ServiceConfig:
    """The service with this room; simulated tools move about the case's own skin."""
    patient = CasePatient(request.case, lambda: _simulated_skin(Case.open(request.case), view))
    tips = CalibratedTip.of_tools(room.tools) | _rehearsed_tips(room, patient.read_skin_ct)
    devices = about_patient(room.devices, patient, clock.now_ns())
    local = is_local(f"tcp://{request.bind}:1")
    endpoints = [f"tcp://{request.bind}:{port or '*'}" for port in request.ports]
    return ServiceConfig(
        devices=devices,
        rate_hz=open_room(devices, clock).rate_hz,
        supervisor=SupervisorSettings(stale_after_ms=room.stale_after_ms, lost_after_ms=room.lost_after_ms),
        graph=PoseGraph(tips, None),
        pose_endpoint=endpoints[0],
        surface_endpoint=endpoints[1],
        control_endpoint=endpoints[2],
        security=None if request.keys is None and local else open_security(request.keys or key_folder()),
        headset_events=HeadsetEventSettings(case=request.case, deciders=frozenset(request.decider or ())),
        research_session=request.research,
        real_time=request.real_time,
        rack=room.rack,
    )


def _rehearsed_tips(room: Room, read_skin_ct: ReadSkin) -> dict[str, CalibratedTip]:
    """Tips of styluses in simulated hands, which can be pivoted here and now."""
    tips = {}
    for device in room.devices:
        for tool in device.tools if driver_of(device.driver).rehearse else ():
            if tool.role is Role.STYLUS and tool.T_tool_tip is None:
                tracker, hand = open_session(room, tool.name, read_skin_ct)
                tracker.start()
                try:
                    found = Stylus(room.name, tracker, hand, tool=tool).calibrate()
                finally:
                    tracker.stop()
                tips[tool.name] = CalibratedTip(
                    found.T_stylus_stylus_tip, found.expected_tip_error_rms_mm, found.tip_covariance_mm2
                )
    return tips


def _say_where(service: NavigationService, room: Room, screen: OperatorScreen) -> None:
    rehearsal = "Rehearsal: tracker, hand and patient are simulated, the patient's skin is the case's own surface. "
    screen.say(f"{rehearsal if room.is_simulated else ''}Research software, not a medical device.", WARNING)
    screen.say(
        f"poses {service.pose_endpoint}  surfaces {service.surfaces.endpoint}  control {service.control.endpoint}"
    )
    screen.say("Ctrl-C stops it")


def _tell(news: Iterable[News], screen: OperatorScreen) -> None:
    for told in news:
        screen.say(told.line, WARNING if told.is_bad else PLAIN)

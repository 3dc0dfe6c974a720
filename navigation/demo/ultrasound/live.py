"""The live part of the ultrasound demo: the patient scanned in real time, and what the headset was shown of it.

The service, its pose process and its ultrasound process are those of ``surgnav serve``. Half way through, the renewed
registration is put into force.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.frames import CT
from geometry.points import Floats
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.demo.ultrasound.contours import ContourErrors, distances_mm, true_bone_ct
from navigation.demo.ultrasound.decoded import DecodedFrame
from navigation.demo.ultrasound.distances import DistanceCheck, against_truth, planned_structure
from navigation.demo.ultrasound.growing import SWEEP_KEYS, GrownSurface, SeenSurface
from navigation.demo.ultrasound.patient import GEOMETRY, TRUE_LAG_MS, ScannedBack
from navigation.demo.ultrasound.registering import Registered
from navigation.devices.driver import Device
from navigation.errors import ServiceError
from navigation.live.pose_graph import PoseGraph
from navigation.live.pose_mirror import mirror_address
from navigation.live.service import NavigationService, ServiceConfig
from navigation.simulation.operating_room import simulated_device
from navigation.simulation.ultrasound.scan_path import ScanPath
from navigation.ultrasound.finding import BONE
from navigation.ultrasound.freehand.sweep_process import LiveSweep, SweepConfig, Swept
from navigation.ultrasound.live.frame_mirror import frames_address
from navigation.ultrasound.live.outgoing import ClientAccess
from navigation.ultrasound.live.process import LiveConfig, LiveUltrasound
from navigation.ultrasound.placing import ProbeInForce
from navigation.user_folders import cache_directory

PERIOD_S = 20.0
_JOINING_S = 60.0
_NS_PER_MS = 1_000_000
# Pixels all over the scan.
_GRID_PX: Floats = GEOMETRY.points_px(*np.meshgrid(np.linspace(-1.0, 1.0, 5), np.linspace(0.0, 80.0, 5))).reshape(-1, 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveCheck:
    """What the headset was given, against the truth.

    Attributes:
        frames: number of decoded frames.
        rate_hz: of them.
        latency_ms: from the sensor's stamp of an image to its contours decoded, one for each frame.
        placed: share of the frames with a place in ``ct``.
        image_mm: distance of the images' pixels from where they truly lie, each frame's mean, after the renewal.
        within: share of these frames whose worst corner lies within the length that was sent as its 95 %.
        before, after: contours of bone against the true bone, by the registration before and after the renewal.
        reasons: why frames had no place, each once.
        to_structure: how far bone was said to be from a structure of the plan after the renewal; None if it never was.
        grown: the surface of the sweep that it was shown meanwhile.
    """

    frames: int
    rate_hz: float
    latency_ms: Floats
    placed: float
    image_mm: Floats
    within: float
    before: ContourErrors | None
    after: ContourErrors | None
    reasons: tuple[str, ...]
    to_structure: DistanceCheck | None
    grown: GrownSurface


def scan_live(
    back: ScannedBack,
    probe: ProbeInForce,
    registrations: tuple[Registered, Registered],
    structure_ct: Floats,
    duration_s: float,
    progress: Callable[[str, float], None],
) -> LiveCheck:
    """Scans for so long, and checks what was decoded.

    Args:
        registrations: in force at the beginning, and from the middle on.
        structure_ct: the middle of a structure of the plan that contours are measured to, ``(3,)``.
        progress: called with the current stage and the share of it that is done.

    Raises:
        ServiceError: the service, the ultrasound process or the client failed.
    """
    path = back.path(MonotonicClock().now_ns() / NS_PER_S, PERIOD_S)
    device = simulated_device(back.scanned(path))
    with mirror_address(True) as poses, tempfile.TemporaryDirectory() as folder:
        graph = PoseGraph({}, registrations[0].accepted)
        settings = ServiceConfig(
            devices=(device,), rate_hz=100.0, graph=graph, pose_mirror=poses, research_session=True
        )
        service = NavigationService(settings)
        config = _ultrasound(device, probe, service)
        sweeping = SweepConfig(probe=probe, frames=frames_address(poses), keys=SWEEP_KEYS, folder=None)
        with (
            closing(LiveSweep(sweeping, MonotonicClock())) as sweep,
            closing(LiveUltrasound(config, poses, MonotonicClock())) as ultrasound,
        ):
            service.ultrasound_port = _awaited_port(ultrasound, sweep)
            ultrasound.measure_to(planned_structure(structure_ct))
            service.also_withdraw = ultrasound.withdraw
            with service:
                heard = _listened(
                    service, (ultrasound, sweep), registrations[1], duration_s, Path(folder) / "decoded", progress
                )
    T_ct_reference = registrations[1].accepted.T_reference_ct.inverse()
    grown = GrownSurface.of(heard.surfaces, heard.begun_ns, T_ct_reference, back.scan(path))
    return check(back, path, probe, heard, grown, structure_ct)


def _ultrasound(device: Device, probe: ProbeInForce, service: NavigationService) -> LiveConfig:
    session_id, secret = service.ultrasound_access
    access = ClientAccess(endpoint="tcp://127.0.0.1:*", session_id=session_id, admission_secret=secret, security=None)
    return LiveConfig(
        device=device,
        probe=probe,
        T_probe_tip=None,
        model=BONE,
        sweep=SWEEP_KEYS,
        cache=cache_directory() / "engines",
        access=access,
    )


def _awaited_port(ultrasound: LiveUltrasound, sweep: LiveSweep) -> int:
    """Where the ultrasound process listens, once both have loaded the program.

    Raises:
        ServiceError: they have not within a minute.
    """
    clock = MonotonicClock()
    until_ns = clock.now_ns() + round(_JOINING_S * NS_PER_S)
    while ultrasound.port is None or not sweep.is_ready:
        ultrasound.poll()
        sweep.poll()
        if clock.now_ns() > until_ns:
            raise ServiceError("no ultrasound process", f"one within {_JOINING_S:g} s", "run 'surgnav doctor'")
        clock.sleep_until_ns(clock.now_ns() + NS_PER_S // 50)
    return ultrasound.port


@dataclass(frozen=True, eq=False)
class Heard:
    """What the headset has decoded.

    Attributes:
        frames: of live ultrasound.
        surfaces: of the sweep.
        begun_ns, renewed_ns: when the sweep began, and when the renewed registration was put into force.
    """

    frames: Sequence[DecodedFrame]
    surfaces: Sequence[SeenSurface]
    begun_ns: int
    renewed_ns: int


def _listened(
    service: NavigationService,
    live: tuple[LiveUltrasound, LiveSweep],
    renewed: Registered,
    duration_s: float,
    path: Path,
    progress: Callable[[str, float], None],
) -> Heard:
    """What the headset has decoded."""
    clock, (ultrasound, sweep) = MonotonicClock(), live
    words = (service.pose_endpoint, service.surfaces.endpoint, service.control.endpoint, str(duration_s), str(path))
    begun_ns, renewed_ns = 0, 0
    with subprocess.Popen(
        [sys.executable, "-m", "navigation.demo.ultrasound.headset", *words], stderr=subprocess.PIPE, text=True
    ) as headset:
        while headset.poll() is None:
            has_joined = bool(service.poll(5))
            ultrasound.follow(service.state.graph.registration)
            ultrasound.poll()
            _offer(service, sweep)
            now_ns = clock.now_ns()
            if not begun_ns and has_joined:
                begun_ns = now_ns
                sweep.begin("sweep")
            since_s = (now_ns - begun_ns) / NS_PER_S if begun_ns else 0.0
            progress("live: the headset is given contours", min(0.99, since_s / duration_s))
            if not renewed_ns and since_s > 0.5 * duration_s:
                service.update(PoseGraph({}, renewed.accepted))
                renewed_ns = now_ns
        said = headset.stderr.read() if headset.stderr else ""
    if headset.returncode != 0 or not renewed_ns:
        raise ServiceError(
            f"a headset that ended with {headset.returncode}: {said.strip()[-500:] or 'no contours came'}",
            "one that decodes contours of live ultrasound",
            "run 'surgnav doctor', and check that no filter blocks the loopback interface",
        )
    frames, surfaces = pickle.loads(path.read_bytes())
    return Heard(frames, surfaces, begun_ns, renewed_ns)


def _offer(service: NavigationService, sweep: LiveSweep) -> None:
    for became in sweep.poll()[0]:
        if isinstance(became, Swept) and became.levels:
            service.state.offer_measured(became.levels)


def check(
    back: ScannedBack,
    path: ScanPath,
    probe: ProbeInForce,
    heard: Heard,
    grown: GrownSurface,
    structure_ct: Floats,
) -> LiveCheck:
    """Frames as they were decoded, against the truth.

    Args:
        heard: the frames of half a second from the renewal on count for neither registration.
        grown: what came of the sweep.
        structure_ct: as for `scan_live`.
    """
    frames, renewed_ns = heard.frames, heard.renewed_ns
    scan = back.scan(path)
    lag_ns, late_ns = round(probe.lag_s * NS_PER_S), NS_PER_S // 2
    off_mm: dict[bool, list[Floats]] = {False: [], True: []}
    image_mm, within = [], []
    renewed: list[tuple[DecodedFrame, Floats]] = []
    for frame in frames:
        if frame.image_px_to_mm is None or frame.to_frame != CT or 0 <= frame.shows_ns - renewed_ns < late_ns:
            continue
        true_s = (frame.shows_ns - lag_ns) / NS_PER_S + 1e-3 * TRUE_LAG_MS
        is_new = frame.shows_ns >= renewed_ns
        points_px = np.concatenate([np.empty((0, 2)), *frame.contours_px])
        off_mm[is_new].append(distances_mm(_placed(frame.image_px_to_mm, points_px), true_bone_ct(scan, true_s)))
        if is_new:
            renewed.append((frame, path.T_ct_image_px(true_s)))
            apart_mm = _apart_mm(frame.image_px_to_mm, renewed[-1][1])
            image_mm.append(float(apart_mm.mean()))
            within.append(frame.expected_p95_mm is not None and float(apart_mm.max()) <= frame.expected_p95_mm)
    return LiveCheck(
        frames=len(frames),
        rate_hz=(len(frames) - 1) * NS_PER_S / max(1, frames[-1].shows_ns - frames[0].shows_ns),
        latency_ms=np.array([frame.decoded_ns - frame.shows_ns + lag_ns for frame in frames]) / _NS_PER_MS,
        placed=float(np.mean([frame.to_frame == CT for frame in frames])),
        image_mm=np.array(image_mm),
        within=float(np.mean(within)) if within else 0.0,
        before=ContourErrors.of(off_mm[False]),
        after=ContourErrors.of(off_mm[True]),
        grown=grown,
        reasons=tuple(dict.fromkeys(frame.reason for frame in frames if frame.image_px_to_mm is None)),
        to_structure=against_truth(renewed, structure_ct),
    )


def _apart_mm(image_px_to_mm: Floats, T_ct_image_px: Floats) -> Floats:
    """Distances of pixels all over the scan from where they truly lie."""
    apart: Floats = np.linalg.norm(_placed(image_px_to_mm, _GRID_PX) - _placed(T_ct_image_px, _GRID_PX), axis=1)
    return apart


def _placed(image_px_to_mm: Floats, points_px: Floats) -> Floats:
    placed: Floats = points_px @ image_px_to_mm[:3, :2].T + image_px_to_mm[:3, 3]
    return placed

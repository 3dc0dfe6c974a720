"""Streams to a client in another process and compares what it received with the true poses, in Unity's convention.

The check has its own conversion on purpose: with that of `unity_bridge.wire.convention`, an error there would go
unnoticed.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.frames import REFERENCE, STYLUS
from geometry.points import Floats
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.demo.headset_program import Headset, headset_command
from navigation.demo.noticed import Finding, findings
from navigation.demo.shown_ages import ShownAges
from navigation.demo.surgery import SimulatedSurgeon, Surgery
from navigation.devices.driver import Device
from navigation.errors import ServiceError
from navigation.live.filters.shown_motion import ShownMotion, shown_motion
from navigation.live.offered_surfaces import ApprovedSurface
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.sent_poses import SentPoses
from navigation.live.service import NavigationService, ServiceConfig
from navigation.live.supervisor import SupervisorSettings
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from navigation.simulation.cue import Cue
from navigation.simulation.operating_room import (
    DRIVER,
    SPHERES_MM,
    OperatingRoom,
    OperatingRoomConfig,
    simulated_device,
)
from navigation.simulation.scenario import Scenario
from registration.record.accepted import AcceptedRegistration
from unity_bridge.client.recording import ClientRecording, load_recording
from unity_bridge.surfaces.payload import DecodedSurface

Progress = Callable[[str, float], None]

# (x, y, z) in right-handed LPS, mm -> (-x, z, -y) in left-handed Unity, as docs/unity_bridge/protocol.md specifies.
_TO_UNITY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# In single precision at 3 m, half a unit in the last place is 0.12 um; ten times that includes the rotation's error.
_POSITION_TOLERANCE_M = 1.2e-6
_ROTATION_TOLERANCE = 1e-6
# Above any error by the tracker's noise, and below the error by any confusion of axes, frames or tools.
_GROSS_ERROR_MM = 5.0

# Occlusions: the line of sight to the driver and to the reference is blocked for part of each period.
_OCCLUSIONS = {DRIVER: (5.0, 3.0, 3.6), REFERENCE: (5.0, 4.0, 4.3)}
_TABLE_MOTION_MM = 15.0
_MAX_SENT = 60_000  # batches that are kept for the check: ten minutes at 100 Hz, 50 MB


@dataclass(frozen=True, kw_only=True)
class StreamCheck:
    """Result of comparing what the client received with what was sent and with the true poses.

    Attributes:
        rate_hz: batches per second, from the median difference of their capture times.
        batches_per_s: received batches per second, over the whole time.
        latency_ms: from the sensor's stamp to decoded in the client, one value for each batch captured after the client
            was ready.
        joining_latency_max_ms: the longest latency before that, while processes start and surfaces are transferred.
        batches: number of received batches.
        poses_lost: number of batches that were sent to the client and did not arrive.
        poses_checked: number of compared poses.
        poses_wrong: number of poses that differ from what was sent by more than single precision explains, have another
            validity, or are more than 5 mm from the true pose where that is known.
        truth_error_rms_mm: RMS error of the tools' positions in ``reference``, including the tracker's noise; None
            where nobody knows the truth.
        motion: how far the moving tip of the stylus is from where it is shown, with and without prediction; None where
            nobody knows the truth or it does not move.
        hidden: tool -> share of the batches in which it had no valid pose and was sent as such.
        ages: ages of the poses that the client showed as valid, and share of the time in which it showed any.
        frames_dropped: number of frames that the tracker made and that were not used.
        surfaces_identical: whether the client's geometry equals what was sent, within the stated quantisation.
        surface_bytes: size of all surfaces together.
        surface_seconds: time from the first request to the last byte.
        findings: what became of each event of the scenario.
    """

    rate_hz: float
    batches_per_s: float
    latency_ms: Floats
    joining_latency_max_ms: float
    batches: int
    poses_lost: int
    poses_checked: int
    poses_wrong: int
    truth_error_rms_mm: float | None
    motion: ShownMotion | None
    hidden: Mapping[str, float]
    ages: ShownAges
    frames_dropped: int
    surfaces_identical: bool
    surface_error_max_mm: float
    surface_bytes: int
    surface_seconds: float
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the tracker watches while it is streamed.

    Attributes:
        devices: the devices, the one that sees the reference first.
        rate_hz: the rate of that one.
        ages: the age limits.
        truth: the operating room whose poses are true; None where nobody knows the truth.
    """

    devices: tuple[Device, ...]
    rate_hz: float
    ages: SupervisorSettings
    truth: OperatingRoomConfig | None = None


def simulated_motion(surgeon: SimulatedSurgeon, scenario: Scenario | None = None) -> Watched:
    """The tools move, and some are hidden at times, from now on; a scenario waits for its cue."""
    room = replace(
        surgeon.config,
        tools=tuple(SPHERES_MM),
        action=surgeon.sweep_action(),
        epoch_ns=MonotonicClock().now_ns(),
        table_motion_mm=_TABLE_MOTION_MM,
        occlusions=_OCCLUSIONS,
        noise_seed=1000,
        scenario=scenario,
        cue=None if scenario is None else Cue(),
    )
    devices = (simulated_device(room),)
    return Watched(devices=devices, rate_hz=room.tracker.rate_hz, ages=SupervisorSettings(), truth=room)


def as_in_room(room: Room) -> Watched:
    """Whatever the devices of the room see."""
    ages = SupervisorSettings(stale_after_ms=room.stale_after_ms, lost_after_ms=room.lost_after_ms)
    return Watched(devices=room.devices, rate_hz=open_room(room.devices, MonotonicClock()).rate_hz, ages=ages)


def stream(
    watch: Callable[[], Watched],
    surgery: Surgery | None,
    surfaces: Sequence[tuple[Surface, str, str]],
    accepted: AcceptedRegistration | None,
    duration_s: float,
    headset: Headset = Headset.PYTHON,
    progress: Progress = lambda stage, share: None,
) -> StreamCheck:
    """Runs the service and a client for `duration_s`, and checks what arrived.

    Args:
        watch: begins the motion that is watched: devices, and the truth where it is known. A scenario begins when the
            client has joined.
        surgery: calibration and registration; None if there is none, and then tools are sent without a tip.
        surfaces: each approved surface in ``ct``, with its state and who approved it.
        accepted: the registration in force; None if it was refused, and then the patient is lost to the client.
        duration_s: how long the client receives poses.
        headset: which client to start.
        progress: called with the current stage and the share of it that is done.

    Raises:
        ServiceError: the service or the client failed.
    """
    client = headset_command(headset)  # before the service starts, since the client may have to be compiled first
    offered = _offered(surfaces, progress)
    watched = watch()
    config = ServiceConfig(
        devices=watched.devices,
        rate_hz=watched.rate_hz,
        graph=_graph(surgery, accepted),
        surfaces=offered,
        supervisor=watched.ages,
        keep_sent=_MAX_SENT,
    )

    def say(line: str) -> None:
        progress(f"stream: {line}", 0.01)

    cue = None if watched.truth is None else watched.truth.cue
    with NavigationService(config, say) as service, tempfile.TemporaryDirectory() as folder:
        report, recording = _run_client(client, service, Path(folder), duration_s, progress, cue)
        dropped = service.vitals().frames_dropped
        sent = service.stop()
    received = [surface for surface, _, _ in surfaces]
    check = _check(report, recording, sent, dropped, watched.truth, received)
    if watched.truth is None:
        return check
    tip_mm = recording.position_m[:, recording.tools.tolist().index(STYLUS)] @ _TO_UNITY * 1000.0
    T_reference_ct = None if accepted is None else accepted.T_reference_ct
    return replace(check, findings=findings(OperatingRoom(watched.truth), recording, tip_mm, STYLUS, T_reference_ct))


def _offered(surfaces: Sequence[tuple[Surface, str, str]], progress: Progress) -> list[ApprovedSurface]:
    made = []
    for number, (surface, state, person) in enumerate(surfaces):
        progress("stream: levels of detail", number / len(surfaces))
        made.append(ApprovedSurface.of(surface, state, person))
    return made


def _graph(surgery: Surgery | None, accepted: AcceptedRegistration | None) -> PoseGraph:
    if surgery is None:
        return PoseGraph({}, accepted)
    pivot = surgery.pivot
    tip = CalibratedTip(pivot.T_stylus_stylus_tip, pivot.expected_tip_error_rms_mm, pivot.tip_covariance_mm2)
    return PoseGraph({tip.T_tool_tip.to_frame: tip}, accepted)


def _run_client(
    client_command: Sequence[str],
    service: NavigationService,
    folder: Path,
    duration_s: float,
    progress: Progress,
    cue: Cue | None,
) -> tuple[dict[str, Any], ClientRecording]:
    report, recording = folder / "report.json", folder / "recording.npz"
    command = [*client_command, "--poses", service.pose_endpoint]
    command += ["--surfaces", service.surfaces.endpoint, "--control", service.control.endpoint]
    command += ["--duration", str(duration_s), "--report", str(report), "--record", str(recording)]
    clock = MonotonicClock()
    begun_ns, limit_s = clock.now_ns(), duration_s + 90.0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as client:
        while client.poll() is None:
            if service.poll(5) and cue is not None:
                cue.give(clock.now_ns())  # the client has said hello
            elapsed_s = (clock.now_ns() - begun_ns) / NS_PER_S
            progress("stream: the client listens", min(0.99, elapsed_s / duration_s))
            if elapsed_s > limit_s:
                client.kill()
        said = client.stderr.read() if client.stderr else ""
    if client.returncode not in (0, 1) or not recording.exists():
        raise ServiceError(
            f"a client that ended with {client.returncode}: {said.strip() or 'no message'}",
            "a client that reports what it received",
            "run 'surgnav doctor', and check that no filter blocks the loopback interface",
        )
    return json.loads(report.read_text("utf-8")), load_recording(recording)


def _check(
    report: Mapping[str, Any],
    recording: ClientRecording,
    sent: SentPoses,
    frames_dropped: int,
    truth: OperatingRoomConfig | None,
    surfaces: Sequence[Surface],
) -> StreamCheck:
    rows = np.searchsorted(sent.sequence, recording.sequence)
    columns = [recording.tools.tolist().index(tool) for tool in sent.tools]
    position_m, rotation = recording.position_m[:, columns], recording.rotation_xyzw[:, columns]
    validity = recording.validity[:, columns]
    as_sent = _differences(position_m, rotation, sent.matrices[rows]) & (validity == sent.validity[rows])
    errors_mm = np.full(validity.shape, np.nan)
    if truth is not None:
        errors_mm = _truth_errors_mm(position_m, recording.capture_ns, sent.tools, OperatingRoom(truth))
    gross = np.nan_to_num(errors_mm) > _GROSS_ERROR_MM
    ready = recording.capture_ns >= int(report["ready_server_ns"])
    identical, surface_error_mm = _compare_surfaces(surfaces, recording.surfaces)
    return StreamCheck(
        rate_hz=float(NS_PER_S / np.median(np.diff(recording.capture_ns))),
        batches_per_s=float(NS_PER_S / np.mean(np.diff(recording.capture_ns))),
        latency_ms=recording.latency_ms[ready],
        joining_latency_max_ms=float(recording.latency_ms[~ready].max(initial=0.0)),
        batches=len(recording.sequence),
        poses_lost=int(report["poses_lost"]),
        poses_checked=int(as_sent.size),
        poses_wrong=int((~as_sent | gross).sum()),
        truth_error_rms_mm=_rms(errors_mm[np.isfinite(errors_mm)]),
        motion=None if truth is None else _motion(recording, sent, rows, OperatingRoom(truth)),
        hidden={tool: float((validity[:, i] != "valid").mean()) for i, tool in enumerate(sent.tools)},
        ages=ShownAges.of(report["display"], sent.tools),
        frames_dropped=frames_dropped,
        surfaces_identical=identical,
        surface_error_max_mm=surface_error_mm,
        surface_bytes=sum(received["byte_count"] for received in report["surfaces"]),
        surface_seconds=max((received["seconds"] for received in report["surfaces"]), default=0.0),
    )


def _motion(
    recording: ClientRecording, sent: SentPoses, rows: NDArray[np.int64], room: OperatingRoom
) -> ShownMotion | None:
    """Of the stylus, read by the display when the client had decoded it."""
    matrices = sent.matrices[rows, sent.tools.index(STYLUS)]
    known = np.flatnonzero(~np.isnan(matrices[:, 0, 3]))
    read_ns = recording.capture_ns + np.round(recording.latency_ms * 1e6).astype(np.int64)

    def true_mm(time_ns: int) -> Floats | None:
        stylus = room.pose_in_reference(STYLUS, time_ns)
        return None if stylus is None else stylus.apply(room.tip_mm(time_ns))

    return shown_motion(
        (
            (int(recording.capture_ns[row]), int(read_ns[row]), Transform(matrices[row], REFERENCE, f"{STYLUS}_tip"))
            for row in known.tolist()
        ),
        true_mm,
    )


def _rms(errors_mm: Floats) -> float | None:
    """None without errors; a pose of a tool that was hidden has no distance, and counts among the wrong ones."""
    return float(np.sqrt(np.mean(errors_mm**2))) if errors_mm.size else None


def _differences(position_m: Floats, rotation_xyzw: Floats, matrices_mm: Floats) -> NDArray[np.bool_]:
    """Mask ``(n, tools)``: True where the received pose equals the sent one, or where both are missing."""
    expected_m = matrices_mm[..., :3, 3] @ _TO_UNITY.T / 1000.0
    expected_rotation = _TO_UNITY @ matrices_mm[..., :3, :3] @ _TO_UNITY.T
    missing_here, missing_there = np.isnan(position_m[..., 0]), np.isnan(expected_m[..., 0])
    same = missing_here & missing_there
    both = ~missing_here & ~missing_there
    received = Rotation.from_quat(rotation_xyzw[both]).as_matrix()
    near = np.abs(position_m[both] - expected_m[both]).max(axis=1, initial=0.0) < _POSITION_TOLERANCE_M
    aligned = np.abs(received - expected_rotation[both]).max(axis=(1, 2), initial=0.0) < _ROTATION_TOLERANCE
    same[both] = near & aligned
    return same


def _truth_errors_mm(
    position_m: Floats, capture_ns: NDArray[np.int64], tools: Sequence[str], room: OperatingRoom
) -> Floats:
    """Distance in mm of each received position from the true one, ``(n, tools)``; NaN where the client has no pose."""
    received_mm = position_m @ _TO_UNITY * 1000.0
    errors = np.full(received_mm.shape[:2], np.nan)
    for row, time_ns in enumerate(capture_ns.tolist()):
        for column, tool in enumerate(tools):
            if tool in (REFERENCE, PATIENT) or np.isnan(received_mm[row, column, 0]):
                continue  # positions are relative to the reference; the patient's error is the TRE
            truth = room.pose_in_reference(tool, time_ns)
            if truth is None:
                errors[row, column] = np.inf  # a pose of a tool that was hidden
                continue
            expected_mm = truth.apply(room.tip_mm(time_ns)) if tool == STYLUS else truth.translation_mm
            errors[row, column] = np.linalg.norm(received_mm[row, column] - expected_mm)
    return errors


def _compare_surfaces(sent: Sequence[Surface], received: Sequence[DecodedSurface]) -> tuple[bool, float]:
    """Whether each surface arrived with the same triangles, in any order; and the largest error of a corner in mm."""
    by_name = {decoded.surface.name: decoded for decoded in received}
    worst_mm = 0.0
    identical = len(by_name) == len(sent)
    for surface in sent:
        decoded = by_name.get(surface.name)
        counts = len(surface.vertices_mm), surface.triangles.shape
        if decoded is None or (len(decoded.surface.vertices_m), decoded.surface.triangles.shape) != counts:
            return False, float("nan")
        expected_m = surface.vertices_mm @ _TO_UNITY.T / 1000.0
        corners_m = expected_m[surface.triangles[:, [0, 2, 1]]]  # in Unity, outward faces are clockwise
        received_m = decoded.surface.vertices_m[decoded.surface.triangles]
        error_m = max(_farthest_m(received_m, corners_m), _farthest_m(corners_m, received_m))
        # Half a step of quantisation, with a margin of 0.2 % for rounding.
        identical &= error_m <= 0.501 * decoded.quantisation_step_m
        worst_mm = max(worst_mm, error_m * 1000.0)
    return bool(identical), worst_mm


def _farthest_m(corners_m: Floats, among_m: Floats) -> float:
    """The largest coordinate difference in m between a triangle and its nearest among others, ``(m, 3, 3)`` each.

    A triangle may begin with any of its corners, but must have the same winding.
    """
    turned = np.concatenate([np.roll(among_m, turn, axis=1).reshape(-1, 9) for turn in range(3)])
    distance_m, _ = cKDTree(turned).query(corners_m.reshape(-1, 9), p=np.inf)
    return float(distance_m.max())

"""How far a moving tip is from where it is shown, with all delays on: as it was last seen, filtered, and predicted.

    python benchmarks/live/bench_motion.py [--seconds 120] [--rate-hz 100]

A simulated hand reaches from place to place at 100 mm/s on average (minimum jerk, Flash and Hogan 1985, so that it
starts and stops), with tremor, before the simulated tracker with its distortion and jitter. A frame takes 12 ms from
exposure to here (jittered), a display reads at 90 Hz and is seen 20 ms later. `finite difference` is what the Unity
client does: the velocity over 40 ms, for no more than 30 ms. `published` is what the pose loop sends with a filter in
the room file, against the truth at the time that the pose holds for.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, REFERENCE, STYLUS
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import ToolFilter
from navigation.live.filters.constant_velocity import ConstantVelocity
from navigation.live.filters.one_euro import OneEuro
from navigation.live.filters.shown_poses import ShownPoses
from navigation.live.pose_graph import PoseGraph
from navigation.live.timeline.timelines import Timelines
from navigation.simulation.actions import StylusPosture
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, open_simulated_tracker
from navigation.simulation.optical_tracker import OpticalTrackerSettings
from navigation.simulation.patient import shaft_directions
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

MS = 1_000_000
DISPLAY_PERIOD_NS = NS_PER_S // 90
SCAN_OUT_NS = 20 * MS
SPEED_MM_S = 100.0
FILTERS = {
    "as measured": None,
    "one_euro": ToolFilter(kind="one_euro"),
    "constant_velocity": ToolFilter(kind="constant_velocity"),
    "constant_velocity, 35 ms ahead": ToolFilter(kind="constant_velocity", predict_ms=35.0),
}
_GRAPH, _LINES = PoseGraph(), Timelines()
_CAP_NS, _BASELINE_NS = 30 * MS, 40 * MS


class Reaching:
    """A hand that reaches from one drawn place to the next, `SPEED_MM_S` on average, and rests for 0.2 s at each."""

    def __init__(self, rng: np.random.Generator, seconds: float, shaft_ct: np.ndarray) -> None:
        self._shaft = shaft_ct
        self._begins: list[float] = [0.0]
        self._places = [np.zeros(3)]
        while self._begins[-1] < seconds + 2.0:
            place = rng.uniform(-80.0, 80.0, 3)
            self._begins.append(self._begins[-1] + 0.2 + np.linalg.norm(place - self._places[-1]) / SPEED_MM_S)
            self._places.append(place)

    def posture(self, t_s: float) -> StylusPosture:
        number = max(0, int(np.searchsorted(self._begins, t_s, side="right")) - 1)
        first, last = self._places[number], self._places[number + 1]
        duration_s = self._begins[number + 1] - self._begins[number] - 0.2
        share = min(1.0, max(0.0, (t_s - self._begins[number]) / duration_s))
        share = share**3 * (10.0 - 15.0 * share + 6.0 * share**2)
        tremor = 0.1 * np.sin(2.0 * np.pi * np.array([7.3, 8.9, 10.7]) * t_s)
        lean = Rotation.from_rotvec([0.2 * np.sin(1.1 * t_s), 0.0, 0.15 * np.sin(0.7 * t_s)])
        return StylusPosture(CT, first + share * (last - first) + tremor, lean.apply(self._shaft))


class FiniteDifference:
    """The Unity client's rule (ToolTrack.cs)."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, np.ndarray]] = deque(maxlen=32)

    def note(self, pose: Transform, capture_ns: int) -> None:
        self._kept.append((capture_ns, pose.translation_mm))

    def at(self, instant_ns: int) -> np.ndarray:
        last_ns, last = self._kept[-1]
        back = [each for each in self._kept if last_ns - each[0] <= _BASELINE_NS]
        first_ns, first = back[0]
        ahead_ns = min(instant_ns - last_ns, _CAP_NS)
        return last if first_ns == last_ns else last + (last - first) * (ahead_ns / (last_ns - first_ns))


class Published:
    """What the pose loop publishes with each filter, beside the truth at the time that the pose holds for."""

    def __init__(self, room: OperatingRoom) -> None:
        self._room = room
        self._rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in FILTERS}
        self._off: dict[str, np.ndarray] = {}
        self._steps: dict[str, list[float]] = {name: [] for name in FILTERS}
        self._shown = {name: ShownPoses({STYLUS: each} if each else {}) for name, each in FILTERS.items()}

    def note(self, raw: Transform, capture_ns: int) -> None:
        state = ToolState(
            tool=STYLUS, to_frame=REFERENCE, from_frame=raw.from_frame, validity=Validity.VALID, T_to_from=raw
        )
        for name, shown in self._shown.items():
            (found,) = shown.of([state], _GRAPH, _LINES, capture_ns, capture_ns)
            filtering = found.filtering
            ahead_ms = 0.0 if filtering is None else filtering.ahead_ms
            holds_ns = capture_ns + round(ahead_ms * MS)
            true, soon = (self._room.T_reference_ct.apply(self._room.tip_ct_mm(ns)) for ns in (holds_ns, holds_ns + MS))
            velocity = (soon - true) * 1000.0
            speed, off = float(np.linalg.norm(velocity)), found.T_to_from.translation_mm - true
            # By how long the pose is behind, along the motion; the tracker's own noise cancels in the median.
            late_ms = -1000.0 * float(off @ velocity) / max(speed, 1.0) ** 2
            stated_ms = 0.0 if filtering is None else filtering.delay_ms
            self._rows[name].append((speed, float(np.linalg.norm(off)), late_ms, stated_ms))
            self._rest(name, found.T_to_from.translation_mm, true, speed)

    def _rest(self, name: str, place: np.ndarray, true: np.ndarray, speed: float) -> None:
        before = self._off.get(name)
        self._off[name] = place - true
        if before is not None and speed < 10.0:
            self._steps[name].append(float(np.sum((place - true - before) ** 2)))

    def say(self) -> None:
        print(f"{'published':32s}{'jitter at rest':>16s}{'off, 80-120 mm/s':>18s}{'measured delay':>16s}{'stated':>9s}")
        for name, rows in self._rows.items():
            speed, off, late_ms, stated_ms = np.array(rows).T
            near = (speed > 80.0) & (speed < 120.0)
            # From one frame to the next the true place cancels: the difference has twice the variance of a pose.
            jitter_mm = np.sqrt(np.mean(self._steps[name]) / 2.0)
            off_mm = np.sqrt(np.mean(off[near] ** 2))
            print(f"{name:32s}{jitter_mm:13.2f} mm{off_mm:15.2f} mm{np.median(late_ms[near]):13.1f} ms", end="")
            print(f"{np.median(stated_ms[near]):6.1f} ms")


def run(seconds: float, rate_hz: float, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Errors in mm by way of showing, and delay in ms and true speed in mm/s of each display frame."""
    rng = np.random.default_rng(seed)
    bare = OperatingRoom(OperatingRoomConfig(seed=seed, centre_ct_mm=np.zeros(3)))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    config = OperatingRoomConfig(
        seed=seed,
        centre_ct_mm=np.zeros(3),
        epoch_ns=NS_PER_S,
        action=Reaching(rng, seconds, shaft),
        tools=(REFERENCE, STYLUS),
        tracker=OpticalTrackerSettings(rate_hz=rate_hz),
    )
    room, clock = OperatingRoom(config), VirtualClock(NS_PER_S)
    T_tip = Transform.from_rotation(Rotation.identity(), room.tip_stylus_mm, STYLUS, "stylus_tip")
    tracker = open_simulated_tracker(config, clock)
    tracker.start()
    coming: deque[tuple[int, int, Transform]] = deque()
    say_published = Published(room)
    while clock.now_ns() < NS_PER_S + round(seconds * NS_PER_S):
        frame = tracker.next_frame(NS_PER_S)
        reference, stylus = (frame.tools[tool].T_tracker_tool for tool in (REFERENCE, STYLUS))
        if reference is not None and stylus is not None:
            arrival_ns = frame.capture_ns + round((10.0 + rng.exponential(2.0)) * MS)
            coming.append((arrival_ns, frame.capture_ns, reference.inverse() @ stylus @ T_tip))
            say_published.note(coming[-1][2], frame.capture_ns)
    say_published.say()
    kalman, euro, difference = ConstantVelocity(), OneEuro(), FiniteDifference()
    ways: dict[str, Callable[[int], np.ndarray | None]] = {
        "as last seen": lambda ns: raw.translation_mm,
        "One-Euro": lambda ns: smooth.pose.translation_mm,
        "finite difference": difference.at,
        "constant velocity": lambda ns: getattr(kalman.at(ns), "translation_mm", None),
    }
    errors: dict[str, list[float]] = {name: [] for name in ways}
    delays, speeds = [], []
    captured_ns = 0
    for read_ns in range(NS_PER_S + 500 * MS, clock.now_ns() - 100 * MS, DISPLAY_PERIOD_NS):
        while coming and coming[0][0] <= read_ns:
            _, captured_ns, raw = coming.popleft()
            smooth = euro.note(raw, captured_ns)
            kalman.note(raw, captured_ns)
            difference.note(raw, captured_ns)
        shown_ns = read_ns + SCAN_OUT_NS
        true = room.T_reference_ct.apply(room.tip_ct_mm(shown_ns))
        for name, way in ways.items():
            place = way(shown_ns)
            errors[name].append(np.nan if place is None else float(np.linalg.norm(place - true)))
        delays.append((shown_ns - captured_ns) / MS)
        later = room.T_reference_ct.apply(room.tip_ct_mm(shown_ns + MS))
        speeds.append(float(np.linalg.norm(later - true)) * 1000.0)
    return {name: np.array(each) for name, each in errors.items()}, np.array(delays), np.array(speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate-hz", type=float, default=100.0)
    arguments = parser.parse_args()
    errors, delays, speeds = run(arguments.seconds, arguments.rate_hz)
    moving, near, resting = speeds > 10.0, (speeds > 80.0) & (speeds < 120.0), speeds < 10.0
    print(f"{len(delays)} display frames, {np.mean(delays):.0f} ms after exposure; at {speeds[moving].mean():.0f} mm/s")
    print(f"{'mm':20s}{'moving, RMS':>14s}{'p95':>8s}{'80-120 mm/s':>14s}{'at rest':>10s}{'hidden':>9s}")
    for name, found in errors.items():
        known = ~np.isnan(found)

        def rms(some: np.ndarray, found: np.ndarray = found, known: np.ndarray = known) -> float:
            return float(np.sqrt(np.mean(found[some & known] ** 2)))

        p95 = np.percentile(found[moving & known], 95.0)
        hidden = 100.0 * np.mean(~known)
        print(f"{name:20s}{rms(moving):14.2f}{p95:8.2f}{rms(near):14.2f}{rms(resting):10.2f}{hidden:8.1f}%")


if __name__ == "__main__":
    main()

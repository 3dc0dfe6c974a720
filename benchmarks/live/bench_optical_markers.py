"""Printed markers in rendered pictures with known truth: error at a tip, covariance, mirrored poses, speed.

    python benchmarks/live/bench_optical_markers.py [--frames 600] [--poses 10000] [--seed 1] [--keep FOLDER]

Each frame is a picture of 320 x 240 px (rendered by navigation/simulation/marker_video.py, which casts rays and knows
nothing of how markers are found) of one of three tools of 24 mm markers, from 130 to 450 mm away, tilted by up to 75
degrees, turned at random. Cameras differ in gamma (1.8 to 2.6; the program assumes 2.2), sharpness, light and noise.
Half of the pictures are blurred by a motion of up to 6 px, with a rotation; in a quarter a card hides part of the tool.
There is no rolling shutter, and lens and sizes are known exactly.

    one      a single marker
    row      three in one plane
    block    three, of which two lean back by 25 degrees

Rendering takes most of the time, so mirrored poses are looked for in many more frames whose sides are not rendered: a
marker seen in the rendered pictures is drawn among those of about the same size, and the errors that were measured on
its four sides, with what the program said of each, are put on the true sides of the new frame.

The tip lies 120 mm from the middle of each tool. Beside it, on the same pictures: OpenCV's own corners
(CORNER_REFINE_SUBPIX) and solvePnP (IPPE for what is flat, SQPNP else), which always guesses. Bars: 93 to 97 % of all
tips inside the 95 % ellipsoid of their covariance; no mirrored pose accepted. A pose is mirrored if it is nearer to the
true pose mirrored in depth than to the true one, and more than 5 degrees off. The exit code is 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from navigation.devices.optical_markers.bodies import Body, cells_along, dictionary_of
from navigation.devices.optical_markers.edges import find_sides, light_of
from navigation.devices.optical_markers.finding import Finder, View
from navigation.devices.optical_markers.judging import judge
from navigation.devices.optical_markers.pose import Sighting
from navigation.devices.optical_markers.settings import MarkerSettings
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.simulation.marker_video import Face, MarkerCamera, PictureSettings
from navigation.simulation.printed_tools import DICTIONARY, SIDES_LEAN_DEG, Faces, camera, faces_of, placed, row

CAMERA = camera()
HERE = Transform(np.eye(4), "camera", "tracker")
TIP_MM = np.array([0.0, -120.0, 0.0])
INSIDE_95 = 7.815  # chi-squared with three degrees of freedom
MIRRORED_DEG = 5.0
CAMERAS = 16
RUN = 100


def tools() -> dict[str, list[MarkerSettings]]:
    return {"one": row()[1:2], "row": row(), "block": row(SIDES_LEAN_DEG)}


def cameras(random: np.random.Generator) -> list[MarkerCamera]:
    return [
        MarkerCamera(
            CAMERA,
            PictureSettings(
                samples=2,
                lens_blur_px=random.uniform(0.4, 0.9),
                full_well=10.0 ** random.uniform(3.3, 4.2),
                read_noise=random.uniform(5.0, 20.0),
                light=random.uniform(0.4, 1.0),
                gamma=random.uniform(1.8, 2.6),
            ),
            seed=int(random.integers(1 << 30)),
        )
        for _ in range(CAMERAS)
    ]


@dataclass(frozen=True)
class Scene:
    """Where the tool is in the middle of the exposure, how it moves, and what hides it."""

    pose: Transform
    motion: np.ndarray
    card: tuple[Face, Transform] | None

    def exposures(self, faces: Faces) -> list[Faces]:
        steps = 1 if not self.motion.any() else 6
        return [
            placed(faces, self._at(share)) + ([self.card] if self.card else [])
            for share in (np.arange(steps) + 0.5) / steps - 0.5
        ]

    def _at(self, share: float) -> Transform:
        turn = Rotation.from_rotvec(share * self.motion[:3]) * self.pose.rotation
        return Transform.from_rotation(turn, self.pose.translation_mm + share * self.motion[3:], "camera", "tool")


def scene(random: np.random.Generator) -> Scene:
    distance_mm, tilt = random.uniform(130.0, 450.0), random.uniform(0.0, 75.0)
    turns = [random.uniform(0.0, 360.0), 180.0 + tilt, random.uniform(0.0, 360.0)]
    rotation = Rotation.from_euler("zxz", turns, degrees=True)
    aside = random.uniform(-0.15, 0.15, 2) * distance_mm
    pose = Transform.from_rotation(rotation, [*aside, distance_mm], "camera", "tool")
    motion = np.zeros(6)
    if random.random() < 0.5:
        direction = random.standard_normal(3)
        blur_mm = random.uniform(0.0, 6.0) * distance_mm / CAMERA.fx_px
        motion[3:] = direction / np.linalg.norm(direction[:2]).clip(0.5) * blur_mm
        motion[:3] = random.standard_normal(3) * np.deg2rad(1.0)
    card = None
    if random.random() < 0.25:
        towards = pose.translation_mm * random.uniform(0.6, 0.9) + [*random.uniform(-30.0, 30.0, 2), 0.0]
        turn = Rotation.from_euler("xz", [180.0, random.uniform(0.0, 90.0)], degrees=True)
        shade = np.full((30, 15), random.uniform(0.1, 0.7), dtype=np.float32)
        card = Face(shade, 1.0), Transform.from_rotation(turn, towards, "camera", "card")
    return Scene(pose, motion, card)


class Rival:
    """OpenCV's corners and solvePnP, as its examples use them."""

    def __init__(self) -> None:
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        self._detector = cv2.aruco.ArucoDetector(dictionary_of(DICTIONARY), parameters)

    def pose(self, picture: np.ndarray, body: Body, is_flat: bool) -> tuple[np.ndarray, np.ndarray] | None:
        quads, numbers, _ = self._detector.detectMarkers(picture)
        ids = [] if numbers is None else numbers.ravel().tolist()
        used = [
            (body.corners_tool_mm[i], quad[0]) for quad, i in zip(quads, ids, strict=True) if i in body.corners_tool_mm
        ]
        if not used:
            return None
        points, pixels = (np.concatenate(parts).astype(np.float64) for parts in zip(*used, strict=True))
        method = cv2.SOLVEPNP_IPPE if is_flat or len(used) == 1 else cv2.SOLVEPNP_SQPNP
        if len(used) == 1 and not is_flat:  # IPPE wants z = 0
            method = cv2.SOLVEPNP_SQPNP
        found, turn, shift = cv2.solvePnP(points, pixels, CAMERA.matrix, np.array(CAMERA.distortion), flags=method)
        return (Rotation.from_rotvec(turn.ravel()).as_matrix(), shift.ravel()) if found else None


def is_mirrored(rotation: np.ndarray, truth: Transform) -> bool:
    """Whether a pose is nearer to the true one mirrored in depth than to the true one."""
    sight = truth.translation_mm / np.linalg.norm(truth.translation_mm)
    mirrored = (np.eye(3) - 2.0 * np.outer(sight, sight)) @ truth.rotation_matrix @ np.diag([1.0, 1.0, -1.0])
    off = degrees_between(rotation, truth.rotation_matrix)
    return off > MIRRORED_DEG and degrees_between(rotation, mirrored) < off


def degrees_between(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.rad2deg(Rotation.from_matrix(one @ other.T).magnitude()))


@dataclass(frozen=True)
class Marker:
    """A marker of a rendered picture: how far off its sides were found, and what was said of them.

    Attributes:
        length_px: mean length of its sides.
        off_px: ``(4, 2)`` of the ends of each side, from the line that was found outwards.
    """

    length_px: float
    off_px: np.ndarray
    covariance_px2: np.ndarray
    is_used: np.ndarray


def markers_in(picture: np.ndarray, finder: Finder, body: Body, truth: Transform) -> list[Marker]:
    quads, numbers, _ = finder._detector.detectMarkers(picture)
    ids = [] if numbers is None else [int(number) for number in numbers.ravel()]
    known = [
        (body.corners_tool_mm[i], quad[0]) for quad, i in zip(quads, ids, strict=True) if i in body.corners_tool_mm
    ]
    if not known:
        return []
    rough = np.stack([quad for _, quad in known]).astype(np.float64)
    sides = find_sides(light_of(picture), rough, cells_along(DICTIONARY), CAMERA)
    found = []
    for number, (corners_mm, _) in enumerate(known):
        ends = ends_of(truth, corners_mm)
        off = np.einsum("sei,si->se", ends, sides.normals[number]) - sides.offsets_px[number][:, None]
        length = float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).mean())
        is_used = sides.is_whole[number] & sides.is_sharp[number]
        found.append(Marker(length, off, sides.covariance_px2[number], is_used))
    return found


def ends_of(pose: Transform, corners_mm: np.ndarray) -> np.ndarray:
    """The ends ``(4, 2, 2)`` of a marker's sides, in px of a lens without distortion."""
    seen = pose.apply(corners_mm)
    pixels = seen[:, :2] / seen[:, 2:] * [CAMERA.fx_px, CAMERA.fy_px] + [CAMERA.cx_px, CAMERA.cy_px]
    return np.stack([pixels, np.roll(pixels, -1, axis=0)], axis=1)


def drawn_view(pose: Transform, body: Body, known: list[Marker], random: np.random.Generator) -> View:
    """What is seen of a body whose sides have the errors of markers that were rendered, `known` sorted by length."""
    lengths = [each.length_px for each in known]
    parts: list[tuple[np.ndarray, ...]] = []
    for corners_mm in body.corners_tool_mm.values():
        ends = ends_of(pose, corners_mm)
        forward = ends[:, 1] - ends[:, 0]
        length = np.linalg.norm(forward, axis=1)
        area = np.cross(np.append(forward[0], 0.0), np.append(forward[1], 0.0))[2]
        near = int(np.searchsorted(lengths, length.mean())) + int(random.integers(-20, 21))
        drawn = known[int(np.clip(near, 0, len(known) - 1))]
        if area <= 0.0 or drawn.is_used.sum() < 3:
            continue
        normals = np.stack([forward[:, 1], -forward[:, 0]], axis=1) / length[:, None]
        points_mm = np.stack([corners_mm, np.roll(corners_mm, -1, axis=0)], axis=1)
        offsets = np.einsum("sei,si->se", ends, normals) - drawn.off_px
        parts.append((drawn.is_used, points_mm, normals, offsets, drawn.covariance_px2, corners_mm, ends[:, 0]))
    if not parts:
        return View(None, np.zeros(0), 0)
    used, points, normals, offsets, covariance, corners, pixels = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    sighting = Sighting(
        camera=CAMERA,
        T_camera_tracker=HERE,
        points_tool_mm=points[used],
        normals=np.repeat(normals[used][:, None], 2, axis=1),
        offsets_px=offsets[used],
        covariance_px2=covariance[used] + CAMERA.reprojection_rms_px**2 / 2.0,
        swells=1.0,
        corners_tool_mm=corners,
        corners_px=pixels,
    )
    return View(sighting, np.repeat(np.arange(len(parts)), 4)[used], len(parts))


@dataclass
class Tally:
    """What became of the frames of one tool."""

    states: Counter[str] = field(default_factory=Counter)
    error_mm: list[float] = field(default_factory=list)
    expected_mm: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)
    mirrored: int = 0
    rival_mm: list[float] = field(default_factory=list)
    rival_all_mm: list[float] = field(default_factory=list)
    rival_mirrored: int = 0
    seconds: float = 0.0
    rival_seconds: float = 0.0
    markers: list[Marker] = field(default_factory=list)

    def take(self, seen: ToolObservation, truth: Transform) -> bool:
        self.states[seen.visibility.name] += 1
        if seen.visibility is not Visibility.VISIBLE:
            return False
        pose, covariance = seen.T_tracker_tool, seen.covariance
        assert pose is not None
        assert covariance is not None
        arm = truth.rotate(TIP_MM)
        lever = np.hstack([-np.cross(np.eye(3), arm), np.eye(3)])
        error = pose.apply(TIP_MM) - truth.apply(TIP_MM)
        tip = lever @ covariance @ lever.T
        self.error_mm.append(float(np.linalg.norm(error)))
        self.expected_mm.append(float(np.sqrt(np.trace(tip))))
        self.squares.append(float(error @ np.linalg.solve(tip, error)))
        self.mirrored += is_mirrored(pose.rotation_matrix, truth)
        return True

    def take_rival(self, found: tuple[np.ndarray, np.ndarray] | None, truth: Transform, is_accepted: bool) -> None:
        if found is None:
            return
        error_mm = float(np.linalg.norm(found[0] @ TIP_MM + found[1] - truth.apply(TIP_MM)))
        self.rival_all_mm.append(error_mm)
        if is_accepted:
            self.rival_mm.append(error_mm)
        self.rival_mirrored += is_mirrored(found[0], truth)


def measure(frames: int, seed: int, kept: Path | None) -> dict[str, Tally]:
    """Renders and judges in runs of `RUN` frames with random numbers of their own; what is kept is not repeated."""
    together = {name: Tally() for name in tools()}
    for run in range(-(-frames // RUN)):
        count = min(RUN, frames - run * RUN)
        path = None if kept is None else kept / f"seed_{seed}_run_{run}_of_{count}.pickle"
        if path is not None and path.exists():
            tallies: dict[str, Tally] = pickle.loads(path.read_bytes())
        else:
            tallies = measure_run(count, np.random.default_rng([seed, run]))
            if path is not None:
                path.with_suffix(".part").write_bytes(pickle.dumps(tallies))
                path.with_suffix(".part").replace(path)
        together = {name: whole([together[name], tallies[name]]) for name in together}
        mirrored = sum(each.mirrored for each in together.values())
        print(f"  {run * RUN + count} frames, {mirrored} mirrored poses accepted", file=sys.stderr, flush=True)
    return together


def measure_run(frames: int, random: np.random.Generator) -> dict[str, Tally]:
    taken_by, rival = cameras(random), Rival()
    kinds = tools()
    bodies = {name: Body(name, {each.id: each.corners_tool_mm for each in kinds[name]}, None) for name in kinds}
    finders = {name: Finder(CAMERA, HERE, [body], DICTIONARY) for name, body in bodies.items()}
    faces = {name: faces_of(markers, "tool") for name, markers in kinds.items()}
    tallies = {name: Tally() for name in kinds}
    for number in range(frames):
        name = list(kinds)[number % len(kinds)]
        view, tally = scene(random), tallies[name]
        picture = taken_by[number % CAMERAS].picture(view.exposures(faces[name]))
        begun = time.process_time()
        seen = judge(bodies[name], [finders[name].look(picture)[name]])
        between = time.process_time()
        found = rival.pose(picture, bodies[name], name != "block")
        tally.rival_seconds += time.process_time() - between
        tally.seconds += between - begun
        tally.take_rival(found, view.pose, tally.take(seen, view.pose))
        tally.markers += markers_in(picture, finders[name], bodies[name], view.pose)
    return tallies


def draw(poses: int, seed: int, rendered: dict[str, Tally]) -> dict[str, Tally]:
    """Poses from sides with the errors of those that were rendered."""
    random = np.random.default_rng(seed + 1)
    known = sorted((marker for tally in rendered.values() for marker in tally.markers), key=lambda each: each.length_px)
    kinds = tools()
    bodies = [Body(name, {each.id: each.corners_tool_mm for each in kinds[name]}, None) for name in kinds]
    tallies = {name: Tally() for name in kinds}
    for number in range(poses):
        body, pose = bodies[number % len(bodies)], scene(random).pose
        tallies[body.tool].take(judge(body, [drawn_view(pose, body, known, random)]), pose)
    return tallies


def rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values else float("nan")


def show(name: str, tally: Tally) -> bool:
    """Prints one tool's line; returns whether the bars are met."""
    count = sum(tally.states.values())
    inside = float(np.mean(np.array(tally.squares) < INSIDE_95))
    states = ", ".join(f"{state.lower()} {number / count:.1%}" for state, number in tally.states.most_common())
    print(f"{name}: {count} frames: {states}", flush=True)
    print(
        f"  tip, mm: RMS {rms(tally.error_mm):.2f}, median {np.median(tally.error_mm):.2f}, 95 % "
        f"{np.quantile(tally.error_mm, 0.95):.2f}; expected RMS {rms(tally.expected_mm):.2f}; "
        f"inside 95 %: {inside:.1%}; mirrored: {tally.mirrored}"
    )
    if not tally.rival_seconds:
        return 0.93 <= inside <= 0.97 and tally.mirrored == 0
    print(
        f"  OpenCV on the same: RMS {rms(tally.rival_mm):.2f}, median {np.median(tally.rival_mm):.2f}; on all "
        f"{len(tally.rival_all_mm)} that it finds: RMS {rms(tally.rival_all_mm):.2f}, mirrored: {tally.rival_mirrored}"
    )
    print(f"  frames a second on one core: {count / tally.seconds:.0f}; OpenCV {count / tally.rival_seconds:.0f}")
    return 0.93 <= inside <= 0.97 and tally.mirrored == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=600, help="pictures to render")
    parser.add_argument("--poses", type=int, default=10_000, help="frames with drawn errors of the sides")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for every hundred frames, so that a run can be resumed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    rendered = measure(arguments.frames, arguments.seed, arguments.keep)
    print("rendered")
    for name, tally in rendered.items():
        show(name, tally)
    is_met = show("all", whole(rendered.values()))
    drawn = draw(arguments.poses, arguments.seed, rendered)
    print("drawn")
    for name, tally in drawn.items():
        show(name, tally)
    return 0 if show("all", whole(drawn.values())) and is_met else 1


def whole(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    together = Tally()
    for tally in tallies:
        for each in fields(Tally):
            setattr(together, each.name, getattr(together, each.name) + getattr(tally, each.name))
    return together


if __name__ == "__main__":
    raise SystemExit(main())

"""The chain from the tracker to what is seen in a headset, in a simulated room where every true pose is known.

Reference, stylus, probe and headset are calibrated by `surgnav calibrate geometry`, `pivot`, `probe` and
`headset`, from recordings made in that room, into one rack. A point of the patient is touched with that stylus, another
is seen in that probe's image; the patient moves; and both are seen where a client of the wire puts them, by what
`surgnav serve` answers to a headset from that rack and by the pose batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from calibration.accuracy.drift import DriftSettings
from calibration.headset.alignment import HeadsetToTracker, length_p95_mm
from calibration.headset.outcome import from_result
from calibration.rack import in_force
from calibration.result import CalibrationResult, Kind
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.results import image_map_of
from geometry import Transform
from geometry.clock import ManualClock
from geometry.frames import PROBE, REFERENCE, STYLUS, TRACKER
from geometry.points import Floats
from navigation.cli import app
from navigation.devices.headset.desk import ObservationDesk
from navigation.live.overlays import Overlays
from tests.end_to_end.chain_room import ANCHOR, SITE_TRACKER_MM, SIZE_PX, SPACING_MM, Errors, Room
from tests.navigation.live.racked import devices
from unity_bridge.client.overlay import OverlayLink
from unity_bridge.client.placing import Placer
from unity_bridge.control.event_handler import Sender
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.convention import points_from_unity, points_to_unity
from unity_bridge.wire.envelope import MessageType, Session, Validity
from unity_bridge.wire.messages import HeadsetAlignment, ToolObservations, decode_message, encode_message

TOUCHED_REFERENCE_MM = np.array([70.0, 110.0, -60.0])
IMAGED_REFERENCE_MM = np.array([20.0, 140.0, -90.0])
TOUCHED_LINKS = ("stylus tip", "touch of the point", "reference", "headset")
# Covariance of what no residual of a calibration shows, such as the tracker's distortion where it was made; as much as
# a check of a tool allows.
_UNSEEN_MM2 = DriftSettings().common_rms_mm ** 2 / 3.0 * np.eye(3)
IMAGED_LINKS = ("probe", "point in the image", "reference", "headset")


@dataclass(frozen=True, eq=False)
class Overlay:
    """One point as it is seen in the headset.

    Attributes:
        error_mm: distance between where it is seen and where it is.
        expected_p95_mm: what was expected of it.
        links_mm: error that each link alone makes, the others being true.
        expected_links_mm: RMS error that was expected of each.
    """

    error_mm: float
    expected_p95_mm: float
    links_mm: dict[str, float]
    expected_links_mm: dict[str, float]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What the commands have put into the rack."""

    tip_stylus_mm: Floats
    tip_covariance_mm2: Floats
    image_map: ImageToProbe
    headset: HeadsetToTracker


class CommandRefusedError(Exception):
    """A command ended with another exit code than 0; its message is what it said."""


def run_chain(rng: np.random.Generator, folder: Path, errors: Errors | None = None) -> tuple[Overlay, Overlay]:
    """Calibrates everything in a room drawn anew, and shows a touched point of the patient and one in an image.

    Args:
        folder: an empty one, for recordings and rack.
    """
    room = Room(rng, errors or Errors())
    found = calibrate(room, folder)
    rotation = Rotation.from_rotvec(rng.normal(size=3) * 0.3)
    then = Transform.from_rotation(rotation, SITE_TRACKER_MM, TRACKER, REFERENCE)
    # The patient is moved between the measurement of the points and the look through the headset.
    turned = Rotation.from_rotvec(rng.normal(size=3) * 0.1) * rotation
    later = Transform.from_rotation(turned, SITE_TRACKER_MM, TRACKER, REFERENCE)
    seen_then, seen_later = (room.see(pose.matrix[None], REFERENCE)[0] for pose in (then, later))
    look = _Look(room, found, (then, later), (seen_then, seen_later), alignment(folder / "rack"))
    return _touched(look, rng), _imaged(look, rng)


def calibrate(room: Room, folder: Path) -> Calibrated:
    """By the commands, each from what the ones before have put into the rack.

    Raises:
        CommandRefusedError: one of them refuses its recording.
    """
    rack = folder / "rack"
    spheres, design = room.record_spheres(folder / "spheres.csv"), room.write_design(folder / "reference.rom")
    _surgnav("geometry", spheres, "--tool", REFERENCE, "--design", design, "--rack", rack)
    room.layouts_mm[REFERENCE] = np.array(_kept(rack, REFERENCE, "tool_geometry").matrices["spheres_mm"])
    _surgnav("pivot", room.record_pivot(folder / "pivot.csv"), "--tool", STYLUS, "--rack", rack)
    pivot = _kept(rack, STYLUS, "pivot")
    tip_mm = pivot.transform(STYLUS, f"{STYLUS}_tip").translation_mm
    sequence, points = room.record_probe(folder / "probe.igs.mha", folder / "echoes.csv")
    _surgnav("probe", sequence, "--method", "stylus", "--points", points, "--relative-to", TRACKER, "--rack", rack)
    touches = room.record_touches(folder / "touches.json", tip_mm)
    tip_error_mm = 0.0 if pivot.expected_error is None else pivot.expected_error.value
    _surgnav("headset", "--touches", touches, "--tip-error-mm", tip_error_mm, "--name", "hololens", "--rack", rack)
    covariance = pivot.transforms[0].covariance_matrix
    assert covariance is not None
    return Calibrated(
        tip_stylus_mm=tip_mm,
        tip_covariance_mm2=covariance[3:, 3:],
        image_map=image_map_of(_kept(rack, PROBE, "probe_spatial")),
        headset=from_result(_kept(rack, "hololens", "headset_to_tracker")),
    )


def alignment(rack: Path) -> HeadsetAlignment:
    """What `surgnav serve` answers to a headset whose calibration lies in the rack, over the wire."""
    desk = ObservationDesk(lambda device, message: None, lambda device, reason: None)
    room, clock = devices("a headset"), ManualClock(1, "room")
    desk.expect("a headset", room[1])
    serving = Overlays(desk, room, rack, clock, lambda: datetime.now(UTC))
    seen = ToolObservations(frame="headset", anchor=ANCHOR, number=1, seen_ns=1, clock_error_ns=0, tools=())
    answer = serving.take(seen, Sender("a headset", ""), "run-1", 1)
    assert answer is not None
    _, message = decode_message(encode_message(answer, Session(bytes(16), clock), 1))
    assert isinstance(message, HeadsetAlignment)
    return message


@dataclass(frozen=True, eq=False)
class _Look:
    """What is true, what was found, and how a client puts it together.

    Attributes:
        true, seen: ``T_tracker_reference`` when the points were measured, and when they are looked at.
    """

    room: Room
    found: Calibrated
    true: tuple[Transform, Transform]
    seen: tuple[Transform, Transform]
    answer: HeadsetAlignment

    def at_client_mm(self, point_reference_mm: Floats) -> Floats:
        """Where a client of the wire shows the point, ``(3,)`` in ``headset``, out of Unity's convention again."""
        session = Session(bytes(16), ManualClock(1, "room"))
        state = ToolState(
            tool=REFERENCE, to_frame=TRACKER, from_frame=REFERENCE, validity=Validity.VALID, T_to_from=self.seen[1]
        )
        header = replace(session.header(MessageType.POSE_BATCH, 1, 1), validity=Validity.VALID)
        batch = PoseBatchDecoder().decode(encode_pose_batch(header, [state]))
        overlay = OverlayLink()
        overlay.observed(ANCHOR)
        overlay.take(self.answer, 1)
        in_tracker_m = Placer(batch, REFERENCE, TRACKER).points(points_to_unity(point_reference_mm[None]))
        shown_m = overlay.at(1).points(in_tracker_m)
        assert shown_m is not None
        return points_from_unity(shown_m)[0]

    def overlay(self, truth_mm: Floats, points: dict[str, Floats], covariances: dict[str, Floats]) -> Overlay:
        """The point of the patient, ``(3,)`` in ``reference``, against where it is seen.

        Args:
            points: where it was found to be in ``reference``: under "all", and with each of its own links alone.
            covariances: of each link, axes of ``headset``.
        """
        T_headset_tracker, found = self.room.T_headset_tracker, self.found.headset.T_headset_tracker
        (then, later), (seen_then, seen_later) = self.true, self.seen
        where_mm = T_headset_tracker.apply(later.apply(truth_mm))
        by_reference = seen_later.apply(seen_then.inverse().apply(then.apply(truth_mm)))
        shown = {name: T_headset_tracker.apply(later.apply(point)) for name, point in points.items() if name != "all"}
        shown[REFERENCE] = T_headset_tracker.apply(by_reference)
        shown["headset"] = found.apply(later.apply(truth_mm))
        total = sum(covariances.values())
        share = float(np.trace(covariances["headset"]) / np.trace(total))
        # Only the headset's share rests on few residuals (Satterthwaite 1946).
        expected_mm = length_p95_mm(total[None], self.found.headset.degrees / share**2)[0]
        return Overlay(
            error_mm=float(np.linalg.norm(self.at_client_mm(points["all"]) - where_mm)),
            expected_p95_mm=float(expected_mm),
            links_mm={name: float(np.linalg.norm(point - where_mm)) for name, point in shown.items()},
            expected_links_mm={name: float(np.sqrt(np.trace(each))) for name, each in covariances.items()},
        )

    def shared(self, point_reference_mm: Floats) -> tuple[Floats, dict[str, Floats]]:
        """The turn ``(3, 3)`` from ``tracker`` then to ``headset`` now; covariances of reference and headset."""
        (then, later), headset = self.seen, self.found.headset
        turn = headset.T_headset_tracker.rotation_matrix @ later.rotation_matrix @ then.rotation_matrix.T
        # Measured twice, at nearly the same place: the distortion is nearly the same and counts once.
        seen = turn @ then.rotation_matrix
        return turn, {
            "reference": seen @ self.room.covariance_mm2(REFERENCE, point_reference_mm) @ seen.T,
            "headset": headset.covariance_at_mm2(later.apply(point_reference_mm))[0],
        }


def _touched(look: _Look, rng: np.random.Generator) -> Overlay:
    """A point that the stylus touches once, as it is held there."""
    room, found, (then, _), (seen_then, _) = look.room, look.found, look.true, look.seen
    off_mm = room.errors.patient_mm / np.sqrt(3.0) * rng.normal(size=3)
    held = room.held(then.apply(TOUCHED_REFERENCE_MM) + off_mm)
    stylus = room.see(held.matrix[None], STYLUS)[0]
    exact = room.held(then.apply(TOUCHED_REFERENCE_MM))
    points = {
        "all": seen_then.inverse().apply(stylus.apply(found.tip_stylus_mm)),
        "stylus tip": then.inverse().apply(exact.apply(found.tip_stylus_mm)),
        "touch of the point": then.inverse().apply(stylus.apply(room.tip_stylus_mm)),
    }
    turn, covariances = look.shared(points["all"])
    tip = turn @ stylus.rotation_matrix
    tracked = room.covariance_mm2(STYLUS, found.tip_stylus_mm)
    covariances["stylus tip"] = tip @ found.tip_covariance_mm2 @ tip.T + _UNSEEN_MM2
    covariances["touch of the point"] = tip @ tracked @ tip.T + room.errors.patient_mm**2 / 3.0 * np.eye(3)
    return look.overlay(TOUCHED_REFERENCE_MM, points, covariances)


def _imaged(look: _Look, rng: np.random.Generator) -> Overlay:
    """A point that is seen in one image of the probe, as it is held there."""
    room, found, (then, _), (seen_then, _) = look.room, look.found, look.true, look.seen
    pixel = rng.uniform(0.25, 0.75, 2) * SIZE_PX
    true = room.probe_over(pixel, then.apply(IMAGED_REFERENCE_MM))
    probe, read = room.see(true.matrix[None], PROBE)[0], pixel + room.errors.pixel * rng.normal(size=2)
    in_probe_mm, truly_mm = found.image_map.to_probe_mm(read[None])[0], room.probe.to_probe(read[None])[0]
    exact_mm = true.inverse().apply(then.apply(IMAGED_REFERENCE_MM))
    calibrated_mm = found.image_map.to_probe_mm(pixel[None])[0] - room.probe.to_probe(pixel[None])[0]
    points = {
        "all": seen_then.inverse().apply(probe.apply(in_probe_mm)),
        "probe": then.inverse().apply(true.apply(exact_mm + calibrated_mm)),
        "point in the image": then.inverse().apply(probe.apply(truly_mm)),
    }
    turn, covariances = look.shared(points["all"])
    placed = turn @ probe.rotation_matrix
    tracked = room.covariance_mm2(PROBE, in_probe_mm)
    own = found.image_map.point_covariances_mm2(read[None])[0]
    covariances["probe"] = placed @ own @ placed.T + _UNSEEN_MM2
    columns = found.image_map.columns_mm[:, :2]
    normal = np.cross(columns[:, 0], columns[:, 1]) / SPACING_MM**2
    reading = room.errors.pixel**2 * columns @ columns.T + room.errors.beam_mm**2 * np.outer(normal, normal)
    covariances["point in the image"] = placed @ (tracked + reading) @ placed.T
    return look.overlay(IMAGED_REFERENCE_MM, points, covariances)


def _surgnav(*words: object) -> None:
    done = CliRunner().invoke(app, ["calibrate", *map(str, words)], env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if done.exit_code != 0:
        raise CommandRefusedError(f"{words[0]}: {' '.join(done.output.split())}")


def _kept(rack: Path, subject: str, kind: Kind) -> CalibrationResult:
    result = in_force(rack, subject, kind)
    assert result is not None
    return result

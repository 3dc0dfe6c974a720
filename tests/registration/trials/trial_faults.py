"""The faults of `trials.py`: what moves, in the patient, against what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.registration.trials.trials import ASSUMED, Fault, Patient, Scene, head, limb, smooth_field, trunk, vertebra


def none(patient: Patient) -> None:
    """Nothing but the noise of picking, touching and tracking."""


def as_stated(patient: Patient) -> None:
    """Skin, slide and scale drawn from what is stated about them."""
    rng, skin = patient.rng, patient.scene.kind != "bone"
    reach = np.sqrt(np.mean(np.sum((patient.sweep - patient.sweep.mean(axis=0)) ** 2, axis=1)))
    middle = patient.sweep.mean(axis=0)

    def motion(rms_mm: float) -> Callable[[np.ndarray], np.ndarray]:
        shift = rng.normal(size=3) * rms_mm * np.sqrt(2.0 / 9.0)
        turn = rng.normal(size=3) * rms_mm / np.sqrt(2.0) / reach / np.sqrt(3.0)
        return lambda points: shift + np.cross(turn, points - middle)

    if skin:
        mobility = ASSUMED.mobility(patient.scene.kind)
        patient.all_skin(motion(ASSUMED.skin_rms_mm))
        slide = motion(mobility.slide_mm)
        own = mobility.own_mm / np.sqrt(3.0)
        patient.marks = patient.marks + slide(patient.marks) + rng.normal(scale=own, size=patient.marks.shape)
        patient.unused = patient.unused + slide(patient.unused[None])[0] + rng.normal(scale=own, size=3)
    scaled(rng.normal(scale=ASSUMED.scale_sd))(patient)


def common_shift(mm: float) -> Fault:
    def fault(patient: Patient) -> None:
        step = mm * patient.direction()
        patient.all_skin(lambda points: np.tile(step, (len(points), 1)))

    return fault


def slid(mm: float) -> Fault:
    """Marks, and the unused one, along the skin, all the same way about the body."""

    def fault(patient: Patient) -> None:
        axis = patient.direction()

        def along(normals: np.ndarray) -> np.ndarray:
            way = axis - normals * (normals @ axis)[:, None]
            return mm * way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)

        scene = patient.scene
        nearest = np.argmin(np.linalg.norm(scene.front - patient.unused, axis=1))
        patient.marks = patient.marks + along(patient.mark_normals)
        patient.unused = patient.unused + along(scene.normals[nearest][None])[0]

    return fault


def surface_error(length_mm: float, sd_mm: float) -> Fault:
    """Of the segmentation: the sweep lies off the surface along its normals, over patches this long."""

    def fault(patient: Patient) -> None:
        off = smooth_field(patient.rng, length_mm / np.sqrt(2.0 * np.pi), np.sqrt(3.0) * sd_mm)(patient.sweep)[:, 0]
        patient.sweep = patient.sweep + off[:, None] * patient.sweep_normals

    return fault


def scaled(share: float) -> Fault:
    """The patient is larger than the CT says, targets too."""

    def fault(patient: Patient) -> None:
        middle = patient.targets.mean(axis=0)
        for name in ("marks", "sweep", "unused", "bone", "targets"):
            setattr(patient, name, middle + (1.0 + share) * (getattr(patient, name) - middle))

    return fault


def deformed(mm: float, length_mm: float) -> Fault:
    def fault(patient: Patient) -> None:
        patient.all_skin(smooth_field(patient.rng, length_mm, mm))

    return fault


def drift(mm: float) -> Fault:
    """The reference creeps with every touch; what is now (sweep, targets, later touches) is at the end of it."""

    def fault(patient: Patient) -> None:
        step, count = mm * patient.direction(), len(patient.marks)
        patient.marks = patient.marks - (count - np.arange(count))[:, None] * step
        patient.repeat = count * step

    return fault


def bumped(mm: float) -> Fault:
    """The reference jumps after some touch, or before the sweep."""

    def fault(patient: Patient) -> None:
        step, count = mm * patient.direction(), len(patient.marks)
        before = np.arange(count) < patient.rng.integers(1, count + 1)
        patient.marks = patient.marks - before[:, None] * step
        patient.repeat = step

    return fault


def breathing(mm: float) -> Fault:
    """The front rises and falls while it is swept, back and forth, and each mark is touched at its own moment."""

    def fault(patient: Patient) -> None:
        rng, front = patient.rng, np.array([0.0, -1.0, 0.0])
        # The sweep goes from the feet to the head in 25 s; a breath takes 4 s.
        height = patient.sweep[:, 2]
        time_s = 25.0 * (height - height.min()) / np.ptp(height)
        swing = mm * (1.0 - np.cos(2.0 * np.pi * (time_s / 4.0 + rng.random()))) / 2.0
        share = np.clip(-patient.sweep_normals[:, 1], 0.0, 1.0)
        patient.sweep = patient.sweep + (swing * share)[:, None] * front
        at = mm * (1.0 - np.cos(2.0 * np.pi * rng.random(len(patient.marks)))) / 2.0
        patient.marks = patient.marks + (at * np.clip(-patient.mark_normals[:, 1], 0.0, 1.0))[:, None] * front

    return fault


def long_tip(mm: float) -> Fault:
    """The tip is longer than calibrated; held along the normal, so that everything seems to lie farther out."""

    def fault(patient: Patient) -> None:
        scene = patient.scene
        nearest = np.argmin(np.linalg.norm(scene.front - patient.unused, axis=1))
        under = np.linalg.norm(scene.bone[:, None] - patient.bone, axis=2).argmin(axis=0)
        patient.marks = patient.marks + mm * patient.mark_normals
        patient.sweep = patient.sweep + mm * patient.sweep_normals
        patient.unused = patient.unused + mm * scene.normals[nearest]
        patient.bone = patient.bone + mm * scene.normals[under]

    return fault


def bent_stylus(mm: float) -> Fault:
    """The tip is off sideways; the hand turns the shaft as it likes from touch to touch, and hardly in a sweep."""

    def fault(patient: Patient) -> None:
        rng = patient.rng

        def sideways(count: int) -> np.ndarray:
            angle = rng.uniform(0.0, 2.0 * np.pi) + rng.normal(scale=0.7, size=count)
            return mm * np.stack([np.cos(angle), 0.3 * np.ones(count), np.sin(angle)], axis=1)

        patient.marks = patient.marks + sideways(len(patient.marks))
        patient.unused = patient.unused + sideways(1)[0]
        patient.bone = patient.bone + sideways(len(patient.bone))
        patient.sweep = patient.sweep + sideways(1)

    return fault


def level_off(patient: Patient) -> None:
    """The next vertebra is touched and swept, as large within 1.5 %, 35 mm away; so is all bone in it."""
    middle = patient.sweep.mean(axis=0)
    grown = 1.0 + patient.rng.normal(scale=0.015)
    for name in ("marks", "sweep", "unused"):
        points = getattr(patient, name)
        setattr(patient, name, middle + grown * (points - middle) + np.array([0.0, 0.0, 35.0]))
    patient.bone = patient.bone + np.array([0.0, 0.0, 35.0])


@dataclass(frozen=True)
class Scenario:
    """A fault on a patient: which way it was verified decides which column of the table is meant."""

    name: str
    scene: Callable[[], Scene]
    fault: Fault
    sweep: bool = True
    marks: int = 6
    unseen: tuple[str, ...] = ()  # ways of verifying that cannot see it: docs/registration/README.md says what would


def on_bone(scene: Callable[..., Scene]) -> Callable[[], Scene]:
    return lambda: scene("bone", "bone surface")


NOT_REPEATED = ("no touch", "skin touch", "bone touch")
SCENARIOS = (
    Scenario("none, trunk", trunk, none),
    Scenario("none, head", head, none),
    Scenario("none, limb", limb, none),
    Scenario("none, in bone of a trunk", on_bone(trunk), none),
    Scenario("none, in bone of a head, no sweep", on_bone(head), none, sweep=False),
    Scenario("all errors as stated, trunk", trunk, as_stated),
    Scenario("all errors as stated, head", head, as_stated),
    Scenario("all skin shifted 3 mm, trunk", trunk, common_shift(3.0)),
    Scenario("marks slid 3 mm, trunk, no sweep", trunk, slid(3.0), sweep=False),
    Scenario("marks slid 3 mm, trunk", trunk, slid(3.0)),
    Scenario("marks slid 3 mm, head", head, slid(3.0)),
    Scenario("five marks slid 2 mm, limb", limb, slid(2.0), marks=5),
    Scenario("surface 0.5 mm off over 40 mm, bone", on_bone(trunk), surface_error(40.0, 0.5)),
    Scenario("surface 0.5 mm off over 80 mm, bone", on_bone(head), surface_error(80.0, 0.5)),
    Scenario("surface 1 mm off over 80 mm, bone", on_bone(trunk), surface_error(80.0, 1.0)),
    Scenario("surface 1 mm off over 80 mm, trunk", trunk, surface_error(80.0, 1.0)),
    Scenario("CT 1 % short, bone", on_bone(trunk), scaled(0.01)),
    Scenario("CT 1 % short, head", head, scaled(0.01)),
    Scenario("skin deformed 3 mm over 150 mm, face", head, deformed(3.0, 150.0)),
    Scenario("skin deformed 3 mm over 60 mm, face", head, deformed(3.0, 60.0)),
    Scenario("drift 0.4 mm a touch, bone", on_bone(head), drift(0.4), unseen=NOT_REPEATED),
    Scenario(
        "drift 0.4 mm a touch, no sweep, bone",
        on_bone(trunk),
        drift(0.4),
        sweep=False,
        unseen=(*NOT_REPEATED, "repeat"),
    ),
    Scenario("drift 0.4 mm a touch, trunk", trunk, drift(0.4)),
    Scenario("reference bumped 3 mm, bone", on_bone(trunk), bumped(3.0), unseen=("no touch",)),
    Scenario("reference bumped 3 mm, head", head, bumped(3.0)),
    Scenario("breathing 6 mm, trunk", trunk, breathing(6.0)),
    Scenario("tip 2 mm long, bone", on_bone(head), long_tip(2.0)),
    Scenario("tip 2 mm long, trunk", trunk, long_tip(2.0)),
    Scenario(
        "stylus bent 2 mm, bone",
        on_bone(head),
        bent_stylus(2.0),
        unseen=(*NOT_REPEATED, "repeat", "3 bone touches and repeat"),
    ),
    Scenario("one vertebra off", vertebra, level_off),
)

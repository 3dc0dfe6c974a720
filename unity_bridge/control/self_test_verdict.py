"""Judges a client's answer to the self-test: correct, or which known mistake explains it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats
from unity_bridge.control.self_test import IssuedTest, PlacedObject
from unity_bridge.wire.messages import Placement, SelfTestReport

# Covers single precision (1e-7 of some metres over a few operations) and a quantisation of 1 um.
POSITION_TOLERANCE_M = 1e-4
SIDE_TOLERANCE_DEG = 1.0
NORMAL_TOLERANCE_DEG = 3.0  # SNorm8 alone may be off by 0.4
_FARTHEST_M = 1e6
_SAME = np.eye(3)
# All signed permutations of the axes except the identity.
_AXES = [
    matrix
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
    if not np.array_equal(matrix := np.diag(signs)[:, order], _SAME)
]
_TO_UNITY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def judge(test: IssuedTest, report: SelfTestReport) -> tuple[str, ...]:
    """What is wrong with a report, in words for the author of the client; empty if nothing is."""
    placed, missing = _read(test, report)
    if placed is None:
        return (missing,)
    if not abs(placed.positions_m).max() < _FARTHEST_M:
        return (f"a position beyond {_FARTHEST_M:,.0f} m",)
    if not _close(placed.positions_m, test.expected.positions_m):
        return (_explain(test, placed.positions_m),)
    sides = _directions("the visible side of a triangle", placed.sides, test.expected.sides, SIDE_TOLERANCE_DEG)
    normals = _directions("the normal of a vertex", placed.normals, test.expected.normals, NORMAL_TOLERANCE_DEG)
    if sides.startswith("opposite"):
        sides = "wound the wrong way: the triangles' inside is drawn (their corners are clockwise from outside)"
    if normals.startswith("opposite"):
        normals = "normals point inwards"
    return tuple(filter(None, (sides, normals)))


# -------------------------------------------------------------------------------------------------------------- report
def _read(test: IssuedTest, report: SelfTestReport) -> tuple[PlacedObject | None, str]:
    """The report as arrays; or None, and what is missing in it."""
    by_batch = {placement.batch: placement for placement in report.placements}
    if len(by_batch) != len(report.placements) or sorted(by_batch) != list(range(len(test.poses))):
        came = [placement.batch for placement in report.placements[:8]]
        return None, f"placements under the batches {came} where each of 0 to {len(test.poses) - 1} is asked for once"
    positions, normals, sides = [], [], []
    for index, placement in sorted(by_batch.items()):
        points, triangles, missing = _complete(test, placement)
        if missing:
            return None, f"{missing} under batch {index}"
        positions.append([points[vertex][0] for vertex in sorted(points)])
        normals.append([points[vertex][1] for vertex in sorted(points)])
        sides.append([triangles[triangle] for triangle in sorted(triangles)])
    return PlacedObject(np.array(positions), np.array(normals), np.array(sides)), ""


Vector = tuple[float, float, float]


def _complete(
    test: IssuedTest, placement: Placement
) -> tuple[dict[int, tuple[Vector, Vector]], dict[int, Vector], str]:
    """Points and triangles by index, and in words what is missing or repeated; empty if each is there once."""
    points = {point.vertex: (point.position_m, point.normal) for point in placement.points}
    triangles = {each.triangle: each.visible_side for each in placement.triangles}
    asked = {point.vertex: point.name for point in test.task.points}
    if points.keys() != asked.keys() or len(placement.points) != len(asked):
        return points, triangles, f"the vertices {sorted(points)[:8]} where {sorted(asked)} are asked for, each once"
    if triangles.keys() != set(test.task.triangles) or len(placement.triangles) != len(triangles):
        return (
            points,
            triangles,
            f"the triangles {sorted(triangles)[:8]} where {sorted(test.task.triangles)} are asked for",
        )
    return points, triangles, ""


def _directions(what: str, came: Floats, expected: Floats, tolerance_deg: float) -> str:
    """Compares vectors of any length with unit vectors; the text begins with 'opposite' if all are reversed."""
    lengths = np.linalg.norm(came, axis=-1)
    if not (lengths > 0.0).all():
        return f"{what} is not told (a vector of zeros)"
    cosines = np.einsum("...i,...i", came / lengths[..., None], expected)
    angles_deg = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    if (angles_deg > 180.0 - tolerance_deg).all():
        return f"opposite: {what}"
    worst = float(angles_deg.max())
    return f"{what} is off by {worst:.1f} degrees" if worst > tolerance_deg else ""


# ----------------------------------------------------------------------------------------------------------- mistakes
@dataclass(frozen=True, eq=False)
class _Parts:
    """The data that a client combines: k anchors in the root, k objects in the anchor, n vertices."""

    anchor_xyzw: Floats
    anchor_m: Floats
    held_xyzw: Floats
    held_m: Floats
    vertices_m: Floats

    @classmethod
    def of(cls, test: IssuedTest) -> _Parts:
        anchors, held = zip(*test.poses, strict=True)
        return cls(
            np.array([pose.rotation_xyzw for pose in anchors]),
            np.array([pose.position_m for pose in anchors]),
            np.array([pose.rotation_xyzw for pose in held]),
            np.array([pose.position_m for pose in held]),
            test.vertices_m,
        )


def _explain(test: IssuedTest, came: Floats) -> str:
    """The known mistake that explains the points' positions, or how far off they are if none does."""
    world = _world_mistake(test.expected.positions_m, came)
    if world:
        return world
    parts = _Parts.of(test)
    for reason, predicted in _mistakes(test, parts):
        if _close(came, predicted):
            return reason
    off = np.linalg.norm(came - test.expected.positions_m, axis=-1)
    batch, point = np.unravel_index(int(off.argmax()), off.shape)
    name = test.task.points[int(point)].name
    far = _length(np.array([off.max()]))
    return f"'{name}' is {far} from where it should be under batch {batch}; no known mistake explains it"


def _world_mistake(expected: Floats, came: Floats) -> str:
    """A mistake that maps all positions alike (mirrored, scaled, turned, shifted), in words; empty if there is none."""
    points = expected.reshape(-1, 3)
    solution = np.linalg.lstsq(np.column_stack([points, np.ones(len(points))]), came.reshape(-1, 3), rcond=None)[0]
    linear: Floats = np.asarray(solution[:3].T, np.float64)
    shift: Floats = np.asarray(solution[3], np.float64)
    if not _close(came, points_mapped(linear, shift, expected)) or not abs(np.linalg.det(linear)) > 1e-12:
        return ""
    scale = abs(np.linalg.det(linear)) ** (1.0 / 3.0)
    turn = linear / scale
    if abs(turn @ turn.T - _SAME).max() > 1e-3:
        stretched = np.linalg.svd(linear, compute_uv=False)
        return f"stretched or sheared: by {', '.join(f'{factor:.4g}' for factor in stretched)}"
    said = [] if abs(scale - 1.0) < 1e-3 else [f"scaled by {scale:.4g}"]
    if abs(turn - _SAME).max() > 1e-3:
        said.insert(0, _turned(turn))
    if not said or abs(shift).max() > POSITION_TOLERANCE_M * max(1.0, scale):
        said.append(f"shifted by {_length(shift)}")
    return " and ".join(said)


def _length(metres: Floats) -> str:
    """Formats lengths: in mm to 0.01 mm (a tenth of the tolerance) if all are below a metre, else in m."""
    small = abs(metres).max() < 1.0
    digits = [
        f"{round(float(part) * 1000.0, 2) + 0.0:g}" if small else f"{round(float(part), 3) + 0.0:g}" for part in metres
    ]
    return (f"({', '.join(digits)})" if len(digits) > 1 else digits[0]) + (" mm" if small else " m")


def _turned(turn: Floats) -> str:
    """An orthogonal matrix other than the identity, in words."""
    nearest = np.round(turn)
    if abs(turn - nearest).max() < 1e-3:
        if np.array_equal(nearest, _TO_UNITY):
            return "converted to Unity's convention once more: (x, y, z) became (-x, z, -y)"
        return named_axes(nearest)
    if np.linalg.det(turn) < 0.0:
        return "mirrored"
    angle = math.degrees(Rotation.from_matrix(turn).magnitude())
    return f"turned by {angle:.1f} degrees"


def named_axes(axes: Floats) -> str:
    """A signed permutation in words."""
    mirrors = np.linalg.det(axes) < 0.0
    flipped = [name for name, own in zip("xyz", np.diag(axes), strict=True) if own < 0.0]
    if abs(np.diag(axes)).sum() == 3.0:
        if mirrors:
            return f"mirrored along {' and '.join(flipped)}"
        kept = next(name for name in "xyz" if name not in flipped)
        return f"turned by 180 degrees about {kept}"
    return f"axes exchanged: (x, y, z) became {_letters(axes)}{', which mirrors' if mirrors else ''}"


def _letters(axes: Floats) -> str:
    named = (("-" if row.sum() < 0.0 else "") + "xyz"[int(abs(row).argmax())] for row in axes)
    return f"({', '.join(named)})"


def _mistakes(test: IssuedTest, right: _Parts) -> Iterator[tuple[str, Floats]]:
    """Known mistakes in one step of the computation, each with the positions that it would give."""
    yield from _in_the_order(test, right)
    yield from _in_the_rotations(right)
    yield from _in_the_positions(right)
    yield from _in_the_mesh(test, right)
    for axes in _AXES:  # poses converted once more, the mesh not
        both = _changed(right, anchor=axes, held=axes)
        turned = [Rotation.from_matrix(axes @ Rotation.from_quat(q).as_matrix() @ axes.T) for q in _rotations(right)]
        yield f"the poses alone: {named_axes(axes)}", _place(both, turned[0].as_matrix(), turned[1].as_matrix())


def _in_the_order(test: IssuedTest, right: _Parts) -> Iterator[tuple[str, Floats]]:
    anchor, held, vertices = _matrices(right.anchor_xyzw), _matrices(right.held_xyzw), right.vertices_m
    inverse_a, inverse_h = anchor.transpose(0, 2, 1), held.transpose(0, 2, 1)
    back_a = -np.einsum("kij,kj->ki", inverse_a, right.anchor_m)
    back_h = -np.einsum("kij,kj->ki", inverse_h, right.held_m)
    only_held, only_anchor = _under(held, right.held_m, vertices), _under(anchor, right.anchor_m, vertices)
    yield (
        "each pose was inverted: it maps from its `from frame` to its `to frame`",
        _under(inverse_a, back_a, _under(inverse_h, back_h, vertices)),
    )
    yield (
        "the order of the two tools was exchanged: the second hangs from the first",
        _under(held, right.held_m, only_anchor),
    )
    yield "the first tool was left out: tools hang from tools", only_held
    yield "the second tool was left out: the surface hangs from the tool of its frame's name", only_anchor
    yield "the poses were not applied", np.broadcast_to(vertices, only_held.shape)
    for batch, shown in enumerate(test.expected.positions_m):
        yield f"batch {batch} was shown under every batch", np.broadcast_to(shown, test.expected.positions_m.shape)


def _in_the_rotations(right: _Parts) -> Iterator[tuple[str, Floats]]:
    def with_rotations(anchor: Floats, held: Floats) -> Floats:
        return _place(right, _matrices(anchor), _matrices(held))

    anchor, held = _rotations(right)
    still = np.tile([0.0, 0.0, 0.0, 1.0], (len(anchor), 1))
    yield "the rotations were not applied", with_rotations(still, still)
    for roll, how in ((-1, "(w, x, y, z)"), (1, "(y, z, w, x)")):
        said = f"quaternion order: (x, y, z, w) was read as {how}"
        yield said, with_rotations(np.roll(anchor, roll, axis=1), np.roll(held, roll, axis=1))
    for axes in _AXES:
        said = f"quaternion (x, y, z, w) was read as {_letters(axes)[:-1]}, w)"
        if np.array_equal(axes, -_SAME):
            said = "the rotations were inverted: transposed matrices or conjugated quaternions"
        changed = [np.column_stack([q[:, :3] @ axes.T, q[:, 3]]) for q in (anchor, held)]
        yield said, with_rotations(*changed)


def _in_the_positions(right: _Parts) -> Iterator[tuple[str, Floats]]:
    anchor, held = (_matrices(q) for q in _rotations(right))
    for factor in (1000.0, 0.001, 0.0):
        said = f"the poses' positions were scaled by {factor:g}" if factor else "the poses' positions were not applied"
        yield said, _place(_changed(right, anchor=_SAME * factor, held=_SAME * factor), anchor, held)
    for axes in _AXES:
        yield f"the poses' positions alone: {named_axes(axes)}", _place(_changed(right, axes, axes), anchor, held)


def _in_the_mesh(test: IssuedTest, right: _Parts) -> Iterator[tuple[str, Floats]]:
    anchor, held = (_matrices(q) for q in _rotations(right))
    low, edge, vertices = test.minimum_m, test.edge_m, right.vertices_m
    unit = (vertices - low) / edge
    meshes = [
        ("the surface's minimum was not applied (the mesh's localPosition)", vertices - low),
        ("the surface's edge was not applied (the mesh's localScale)", low + unit),
        ("neither the surface's minimum nor its edge was applied", unit),
        ("the vertices were not divided by 65,535 (UNorm16)", low + unit * edge * 65535.0),
        ("the surface was scaled by 1000", vertices * 1000.0),
        ("the surface was scaled by 0.001", vertices * 0.001),
    ]
    meshes += [(f"the surface alone: {named_axes(axes)}", vertices @ axes.T) for axes in _AXES]
    for said, mesh in meshes:
        yield said, _under(anchor, right.anchor_m, _under(held, right.held_m, mesh))


# ------------------------------------------------------------------------------------------------------------- algebra
def points_mapped(linear: Floats, shift: Floats, points: Floats) -> Floats:
    """``linear @ p + shift`` for points ``(..., 3)``."""
    return points @ linear.T + shift


def _close(came: Floats, expected: Floats) -> bool:
    """Whether positions agree within the tolerance, which grows with the coordinates as single precision does."""
    return bool(abs(came - expected).max() <= POSITION_TOLERANCE_M * max(1.0, abs(expected).max() / 10.0))


def _rotations(parts: _Parts) -> tuple[Floats, Floats]:
    return parts.anchor_xyzw, parts.held_xyzw


def _matrices(rotations_xyzw: Floats) -> Floats:
    return Rotation.from_quat(rotations_xyzw).as_matrix()


def _changed(parts: _Parts, anchor: Floats, held: Floats) -> _Parts:
    return _Parts(
        parts.anchor_xyzw, parts.anchor_m @ anchor.T, parts.held_xyzw, parts.held_m @ held.T, parts.vertices_m
    )


def _place(parts: _Parts, anchor: Floats, held: Floats) -> Floats:
    return _under(anchor, parts.anchor_m, _under(held, parts.held_m, parts.vertices_m))


def _under(rotations: Floats, positions_m: Floats, points_m: Floats) -> Floats:
    """Points ``(n, 3)`` or ``(k, n, 3)`` under k rotations and positions: ``(k, n, 3)``."""
    return points_m @ rotations.transpose(0, 2, 1) + positions_m[:, None]

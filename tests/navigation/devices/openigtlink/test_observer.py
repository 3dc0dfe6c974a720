"""What becomes a pose and what does not: PLUS's status, repeated poses, what is no rotation, tools of the reference."""

import numpy as np
import pytest

from geometry.points import Floats
from navigation.devices.openigtlink.framing import FrameStream, Message, unpack
from navigation.devices.openigtlink.layout import layout_of
from navigation.devices.openigtlink.messages import (
    Position,
    QuaternionTool,
    QuaternionTracking,
    ToolKind,
    TrackedTool,
    Tracking,
    TransformMatrix,
)
from navigation.devices.openigtlink.messages.poses import columns_of
from navigation.devices.openigtlink.observer import REPEATED_NS, Observer
from navigation.devices.openigtlink.sightings import sightings_in
from navigation.devices.tracker import ToolObservation, Visibility
from tests.navigation.devices.openigtlink.senders import device, pose, transform

TRACKED = {"reference": "ReferenceToTracker", "stylus": "StylusToTracker"}
RELATIVE = {"reference": "ReferenceToTracker", "stylus": "StylusToReference"}
PERIOD_NS = 20_000_000


class Said:
    """What an observer made of the messages of a device, the newest of each tool."""

    def __init__(self, ids: dict[str, str] = TRACKED, repeats_are_measured: bool = False) -> None:
        self._observer = Observer(layout_of(device(1, ids)), repeats_are_measured)
        self.now_ns = 0
        self.seen: dict[str, ToolObservation] = {}

    def hear(self, message: Message | bytes, stamp_ns: int | None = None) -> dict[str, ToolObservation]:
        """The observations of one message; a period passes."""
        self.now_ns += PERIOD_NS
        if isinstance(message, bytes):
            (frame,) = FrameStream().feed(message)
            message = unpack(frame)
        new: dict[str, ToolObservation] = {}
        for sighting in sightings_in(message):
            new |= self._observer.observe(sighting, message.stamp_ns if stamp_ns is None else stamp_ns, self.now_ns)
        self.seen |= new
        return new


def stylus(matrix: Floats, stamp_ns: int, status: str | None = None) -> bytes:
    return transform("StylusToTracker", matrix, stamp_ns, status)


@pytest.mark.parametrize(
    ("status", "visibility"),
    [
        ("MISSING", Visibility.OCCLUDED),
        ("OUT_OF_VIEW", Visibility.OCCLUDED),
        ("OUT_OF_VOLUME", Visibility.OUT_OF_VOLUME),
        ("INVALID", Visibility.NO_DATA),
        ("REQ_TIMEOUT", Visibility.NO_DATA),
        ("UNKNOWN", Visibility.NO_DATA),
        ("PATH_NOT_FOUND", Visibility.UNCONFIGURED),
        ("something new", Visibility.NO_DATA),
    ],
)
@pytest.mark.parametrize("matrix", [pose(1), np.eye(4)], ids=["last matrix", "identity"])
def test_a_tool_that_plus_calls_lost_is_lost_whatever_matrix_is_repeated(
    status: str, visibility: Visibility, matrix: Floats
) -> None:
    said = Said()
    said.hear(stylus(pose(1), 1, "OK"))
    assert said.seen["stylus"].visibility is Visibility.VISIBLE
    for number in range(2, 40):
        said.hear(stylus(matrix, number, status))
        assert (said.seen["stylus"].visibility, said.seen["stylus"].T_tracker_tool) == (visibility, None)
        assert said.seen["stylus"].reason == f"the device says {status}"


@pytest.mark.parametrize("status", [None, "OK"], ids=["without status", "called OK"])
def test_a_pose_repeated_to_the_last_bit_is_nothing_new_and_then_lost(status: str | None) -> None:
    """PlusLib#436: a sender that goes on with the last pose of a tool it no longer sees, and calls it valid."""
    said = Said()
    assert said.hear(stylus(pose(1), 1, status))
    for number in range(2, 40):
        new = said.hear(stylus(pose(1), number, status))
        if said.now_ns - PERIOD_NS < REPEATED_NS:
            assert new == {}, "no new evidence: what was seen grows older"
        else:
            assert new["stylus"].visibility is Visibility.NO_DATA
            assert "repeated one pose" in new["stylus"].reason
    assert said.hear(stylus(pose(2), 41, status))["stylus"].visibility is Visibility.VISIBLE


def test_the_last_pose_called_valid_again_after_a_loss_is_not_a_return() -> None:
    said = Said()
    said.hear(stylus(pose(1), 1, "OK"))
    for number in range(2, 30):
        said.hear(stylus(pose(1), number, "MISSING"))
    assert said.hear(stylus(pose(1), 30, "OK"))["stylus"].T_tracker_tool is None


@pytest.mark.parametrize("status", [None, "OK"])
def test_the_identity_is_no_pose(status: str | None) -> None:
    said = Said()
    said.hear(stylus(np.eye(4), 1, status))
    assert "identity" in said.seen["stylus"].reason


def test_where_poses_are_exact_repeats_and_the_identity_are_poses_but_one_frame_counts_once() -> None:
    said = Said(repeats_are_measured=True)
    for number in range(1, 40):
        assert said.hear(stylus(np.eye(4), number))["stylus"].visibility is Visibility.VISIBLE
    assert said.hear(stylus(np.eye(4), 39)) == {}, "the same time: the same frame again"


def test_tdata_has_the_status_of_each_tool_by_its_name() -> None:
    content = Tracking(
        (TrackedTool("ReferenceToTracker", columns_of(pose(1))), TrackedTool("StylusToTracker", columns_of(pose(2))))
    )
    metadata = {"ReferenceToTrackerStatus": "OK", "StylusToTrackerStatus": "OUT_OF_VOLUME"}
    said = Said()
    said.hear(Message(content, "Tracker", 1, 3, metadata=metadata))
    assert said.seen["reference"].visibility is Visibility.VISIBLE
    assert said.seen["stylus"].visibility is Visibility.OUT_OF_VOLUME


def _sheared(scale: float) -> Floats:
    matrix = pose(3)
    matrix[:3, 0] *= scale
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        _sheared(1.01),
        _sheared(-1.0),
        _sheared(0.0),
        np.where(np.arange(16).reshape(4, 4) == 3, np.nan, pose(3)),
        np.where(np.arange(16).reshape(4, 4) == 5, np.inf, pose(3)),
    ],
    ids=["scale", "reflection", "flat", "NaN", "infinite"],
)
def test_a_matrix_that_is_no_rotation_is_no_pose_and_says_so(matrix: Floats) -> None:
    said = Said()
    said.hear(stylus(matrix, 1))
    assert said.seen["stylus"].T_tracker_tool is None
    assert said.seen["stylus"].reason.startswith("the device sent a ")


def test_a_matrix_in_four_decimals_is_put_right_and_stays_where_it_was() -> None:
    said = Said()
    said.hear(stylus(np.round(pose(3), 4), 1))
    placed = said.seen["stylus"].T_tracker_tool
    assert placed is not None
    assert placed.matrix == pytest.approx(pose(3), abs=1e-4)
    assert placed.rotation_matrix.T @ placed.rotation_matrix == pytest.approx(np.eye(3), abs=1e-12)


@pytest.mark.parametrize(
    "content",
    [
        Position((1.0, 2.0, 3.0)),
        Position((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 0.0)),
        Position((1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 2.0)),
        Tracking((TrackedTool("StylusToTracker", columns_of(pose(1)), ToolKind.TOOL_5D),)),
        QuaternionTracking((QuaternionTool("StylusToTracker", (1.0, 2.0, 3.0), (0.5, 0.5, 0.5, 0.6)),)),
    ],
)
def test_what_has_no_full_orientation_is_no_pose(content: object) -> None:
    said = Said()
    said.hear(Message(content, "StylusToTracker", 1))  # type: ignore[arg-type]
    assert said.seen["stylus"].T_tracker_tool is None
    assert said.seen["stylus"].reason


@pytest.mark.parametrize("reference_first", [True, False])
def test_tools_given_relative_to_the_reference_and_in_the_camera_are_put_together(reference_first: bool) -> None:
    said = Said(RELATIVE | {"drill": "DrillToTracker"})
    both = [transform("ReferenceToTracker", pose(1), 7), transform("DrillToTracker", pose(2), 7)]
    for message in both if reference_first else both[::-1]:
        said.hear(message)
    said.hear(transform("StylusToReference", pose(3), 7))
    poses = {name: seen.T_tracker_tool for name, seen in said.seen.items()}
    assert all(found is not None for found in poses.values())
    assert np.array_equal(poses["reference"].matrix, np.eye(4))
    assert poses["stylus"].matrix == pytest.approx(pose(3), abs=1e-6)
    assert poses["drill"].matrix == pytest.approx(np.linalg.inv(pose(1)) @ pose(2), abs=1e-4)


def test_a_tool_is_not_put_together_with_the_reference_of_another_time() -> None:
    said = Said(RELATIVE | {"drill": "DrillToTracker"})
    said.hear(transform("ReferenceToTracker", pose(1), 7))
    assert said.hear(transform("DrillToTracker", pose(2), 8)) == {}
    assert "drill" in said.hear(transform("ReferenceToTracker", pose(3), 8))


def test_the_reference_in_its_own_frame_is_seen_exactly_when_the_device_sees_it() -> None:
    said = Said(RELATIVE | {"drill": "DrillToTracker"})
    said.hear(transform("ReferenceToTracker", pose(1), 7, "OUT_OF_VOLUME"))
    said.hear(transform("DrillToTracker", pose(2), 7, "OK"))
    assert said.seen["reference"].visibility is Visibility.OUT_OF_VOLUME
    assert said.seen["drill"].why == "the reference: the device says OUT_OF_VOLUME"


def test_a_transform_of_another_name_says_nothing() -> None:
    assert Said().hear(Message(TransformMatrix.of(pose(1)), "ProbeToTracker", 1)) == {}

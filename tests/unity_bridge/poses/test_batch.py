"""Poses on the wire: nothing is shown that nobody saw."""

import dataclasses
import struct

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geometry import Transform
from geometry.errors import InvalidFrameError
from tests.unity_bridge.poses.harness import CAPTURE_NS, HEADER, SINGLE_M, T_REFERENCE_TIP, patched, tool
from tests.unity_bridge.strategies import transforms
from unity_bridge.errors import InvalidPoseError, MalformedMessageError
from unity_bridge.poses.batch import (
    MAX_TOOLS,
    RECORD_BYTES,
    PoseBatchDecoder,
)
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import Filtering
from unity_bridge.wire.convention import covariance_to_unity, pose_to_unity
from unity_bridge.wire.envelope import (
    Validity,
    pack_field,
    pack_message,
    unpack_fields,
    unpack_message,
)
from unity_bridge.wire.generated.constants import TAG_POSE_BATCH_STRINGS as TAG_STRINGS
from unity_bridge.wire.generated.constants import TAG_POSE_BATCH_TOOLS as TAG_TOOLS

SINGLE = 1e-6


LOST = {"validity": Validity.LOST, "T_to_from": None}


OTHER = Transform(np.eye(4), "reference", "stylus")


def decode(message: bytes):
    return PoseBatchDecoder().decode(message)


def test_a_batch_by_hand():
    """A quarter turn about x, at (100, 200, -300) mm: in Unity at (-0.1, -0.3, -0.2) m, turned about +x."""
    batch = decode(
        encode_pose_batch(HEADER, [tool(expected_error_mm=0.5, registration_id="r1"), tool(tool="drill", **LOST)])
    )
    stylus, drill = batch.tools.values()
    assert (batch.sequence, batch.capture_ns, batch.validity) == (41, CAPTURE_NS, Validity.VALID)
    np.testing.assert_allclose(stylus.pose.position_m, [-0.1, -0.3, -0.2], atol=SINGLE_M)
    np.testing.assert_allclose(stylus.pose.rotation_xyzw, [np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=SINGLE)
    assert (stylus.to_frame, stylus.from_frame) == ("reference", "stylus_tip")
    assert (stylus.capture_ns, stylus.expected_error_mm, stylus.registration_id) == (CAPTURE_NS, 0.5, "r1")
    assert drill.pose is None


def test_a_record_by_hand():
    """Byte for byte, as docs/unity_bridge/protocol.md has it."""
    message = encode_pose_batch(HEADER, [tool(reason="bent", expected_error_mm=0.5)])
    fields = dict(unpack_fields(unpack_message(message)[1]))
    names = ["", "stylus", "reference", "stylus_tip", "bent"]
    assert bytes(fields[TAG_STRINGS]) == b"".join(struct.pack("<H", len(name)) + name.encode() for name in names)
    half = np.sqrt(0.5)
    record = struct.pack("<HHHHH", 1, 2, 3, 4, 0) + struct.pack("<BBfq", 1, 3, 0.5, CAPTURE_NS)
    record += struct.pack("<7f", -0.1, -0.3, -0.2, half, -0.0, 0.0, half) + bytes(4)  # (x, -z, y, w)
    assert bytes(fields[TAG_TOOLS]) == struct.pack("<HH", 56, 1) + record


@given(st.lists(transforms(), max_size=8), st.data())
def test_poses_arrive_in_unity_convention(poses, data):
    sent = [
        tool(
            tool=f"tool {index}",
            T_to_from=pose,
            validity=data.draw(st.sampled_from([Validity.VALID, Validity.SUSPECT])),
            reason=data.draw(st.text(max_size=20)),
            expected_error_mm=data.draw(st.none() | st.floats(0.0, 100.0)),
        )
        for index, pose in enumerate(poses)
    ]
    received = decode(encode_pose_batch(HEADER, sent)).tools
    assert list(received) == [state.tool for state in sent]
    for state, got in zip(sent, received.values(), strict=True):
        expected = pose_to_unity(state.T_to_from)
        np.testing.assert_allclose(got.pose.position_m, expected.position_m, atol=SINGLE_M)
        np.testing.assert_allclose(got.pose.rotation_xyzw, expected.rotation_xyzw, atol=SINGLE)
        assert (got.validity, got.reason) == (state.validity, state.reason)
        assert got.expected_error_mm == (
            None if state.expected_error_mm is None else pytest.approx(state.expected_error_mm, rel=1e-6)
        )


def test_a_covariance_by_hand():
    """Unity's axes are (-x, z, -y): variances change places, covariances their signs too."""
    known = np.array([[1.0, 0.25, -0.5], [0.25, 2.0, 0.75], [-0.5, 0.75, 3.0]])
    batch = decode(encode_pose_batch(HEADER, [tool(tool="drill", **LOST), tool(covariance_mm2=known)]))
    drill, stylus = batch.tools.values()
    assert drill.covariance_mm2 is None
    np.testing.assert_array_equal(stylus.covariance_mm2, [[1.0, 0.5, 0.25], [0.5, 3.0, -0.75], [0.25, -0.75, 2.0]])


@given(transforms(), st.lists(st.floats(0.0, 30.0), min_size=3, max_size=3), st.booleans())
def test_covariances_arrive_in_unity_axes(turn, deviations_mm, is_alone):
    """As the conversion of whole poses has it, also where they are flat; and one tool's does not become another's."""
    assume(sum(deviations_mm) > 1e-3)
    sent = turn.rotation_matrix @ np.diag(np.square(deviations_mm)) @ turn.rotation_matrix.T
    sent = (sent + sent.T) / 2.0
    others = [] if is_alone else [tool(tool="drill"), tool(tool="probe", covariance_mm2=np.diag([1.0, 2.0, 3.0]))]
    received = decode(encode_pose_batch(HEADER, [*others, tool(covariance_mm2=sent)])).tools
    whole = np.zeros((6, 6))
    whole[3:, 3:] = sent
    expected = covariance_to_unity(whole)[3:, 3:] * 1e6
    np.testing.assert_allclose(received["stylus"].covariance_mm2, expected, atol=2e-7 * expected.max())
    if others:
        assert received["drill"].covariance_mm2 is None
        np.testing.assert_array_equal(received["probe"].covariance_mm2, np.diag([1.0, 3.0, 2.0]))


def test_who_does_not_know_the_covariances_reads_the_rest():
    """An older peer skips the field, and what is sent without covariances is byte for byte what it was."""
    with_them = encode_pose_batch(HEADER, [tool(covariance_mm2=np.eye(3))], "why")
    fields = list(unpack_fields(unpack_message(with_them)[1]))
    assert [tag for tag, _ in fields] == [1, 2, 4, 3]
    rest = pack_message(HEADER, b"".join(pack_field(tag, payload) for tag, payload in fields if tag != 4))
    assert rest == encode_pose_batch(HEADER, [tool()], "why")


def filtered(x_mm: float, **changed):
    matrix = T_REFERENCE_TIP.matrix.copy()
    matrix[0, 3] += x_mm
    raw = Transform(matrix, T_REFERENCE_TIP.to_frame, T_REFERENCE_TIP.from_frame)
    return tool(filtering=Filtering(raw=raw, delay_ms=12.5, ahead_ms=20.0), **changed)


def test_a_filtered_tool_has_its_measured_pose_and_its_delay_beside_it():
    """In every batch, and not only in the first: it changes from one to the next, where names and reasons do not."""
    decoder = PoseBatchDecoder()
    for x_mm in (1.0, 2.0, 3.0):
        tools = [tool(tool="drill"), filtered(x_mm, covariance_mm2=np.eye(3))]
        drill, stylus = decoder.decode(encode_pose_batch(HEADER, tools, "why")).tools.values()
        assert (stylus.delay_ms, stylus.ahead_ms, stylus.capture_ns) == (12.5, 20.0, CAPTURE_NS)
        # Unity's x is ours, mirrored.
        np.testing.assert_allclose(stylus.raw.position_m - stylus.pose.position_m, [-x_mm / 1000, 0, 0], atol=SINGLE_M)
        assert (drill.raw, drill.delay_ms, drill.ahead_ms) == (None, 0.0, 0.0)
    assert decoder.decode(encode_pose_batch(HEADER, [tool()])).tools["stylus"].raw is None


def test_who_does_not_know_filters_reads_the_rest():
    """An older peer skips the field, and what is sent without filters is byte for byte what it was."""
    fields = list(unpack_fields(unpack_message(encode_pose_batch(HEADER, [filtered(1.0)], "why"))[1]))
    assert [tag for tag, _ in fields] == [1, 2, 3, 5]
    rest = pack_message(HEADER, b"".join(pack_field(tag, payload) for tag, payload in fields if tag != 5))
    assert rest == encode_pose_batch(HEADER, [tool()], "why")


@pytest.mark.parametrize(
    "wrong", [{"validity": Validity.SUSPECT, "reason": "bent"}, {"from_frame": "stylus", "T_to_from": OTHER}]
)
def test_only_a_valid_pose_is_filtered_and_beside_one_of_the_same_frames(wrong):
    with pytest.raises(InvalidPoseError):
        filtered(1.0, **wrong)


@pytest.mark.parametrize("wrong", [{"delay_ms": -1.0}, {"delay_ms": np.nan}, {"delay_ms": 0.0, "ahead_ms": 1000.5}])
def test_a_delay_is_finite_and_no_longer_than_a_second(wrong):
    with pytest.raises(InvalidPoseError, match="0 to 1000 ms"):
        Filtering(raw=T_REFERENCE_TIP, **wrong)


def test_a_lost_tool_carries_no_number_that_could_be_taken_for_a_pose():
    message = encode_pose_batch(HEADER, [tool(reason="covered", **LOST)])
    lost = decode(message).tools["stylus"]
    assert (lost.pose, lost.capture_ns, lost.reason) == (None, None, "covered")
    numbers = decode(message).records[0][-7:]
    assert numbers == (0.0,) * 7  # a zero quaternion: Unity cannot take it for a rotation, let alone the identity


def test_a_stale_pose_carries_its_own_time():
    stale = tool(validity=Validity.STALE, capture_ns=CAPTURE_NS - 40_000_000, reason="no frame")
    assert decode(encode_pose_batch(HEADER, [stale])).tools["stylus"].capture_ns == CAPTURE_NS - 40_000_000


def test_the_state_of_the_whole_batch_travels_with_its_reason():
    header = dataclasses.replace(HEADER, validity=Validity.LOST)
    batch = decode(encode_pose_batch(header, [], "the reference is covered"))
    assert (batch.validity, batch.reason, batch.tools) == (Validity.LOST, "the reference is covered", {})


@pytest.mark.parametrize(
    "changes",
    [
        {"validity": Validity.LOST},
        {"T_to_from": None},
        {"validity": Validity.STALE},
        {"to_frame": "tracker"},
        {"T_to_from": T_REFERENCE_TIP.inverse()},
        {"expected_error_mm": float("nan")},
        {"expected_error_mm": -0.1},
        {"covariance_mm2": np.zeros((3, 3))},
        {"covariance_mm2": np.eye(3, dtype=np.float32)},
        {"covariance_mm2": np.eye(6)},
        {"covariance_mm2": np.diag([1.0, -1.0, 1.0])},
        {"covariance_mm2": np.diag([1.0, np.nan, 1.0])},
        {"covariance_mm2": np.triu(np.full((3, 3), 0.5)) + np.eye(3)},
        {"covariance_mm2": np.eye(3), **LOST},
    ],
)
def test_contradictions_cannot_be_stated(changes):
    with pytest.raises(InvalidPoseError):
        tool(**changes)


def test_unknown_validities_and_frames_cannot_be_stated():
    with pytest.raises(ValueError, match="fine"):
        tool(validity="fine")
    with pytest.raises(InvalidFrameError):
        tool(to_frame="unity", T_to_from=None, validity=Validity.LOST)


@pytest.mark.parametrize(
    "tools",
    [[tool(), tool()], [tool(tool=f"{index}") for index in range(MAX_TOOLS + 1)], [tool(reason="x" * 1025)]],
    ids=["twice", "too many", "endless reason"],
)
def test_batches_that_cannot_be_sent(tools):
    with pytest.raises(InvalidPoseError):
        encode_pose_batch(HEADER, tools)
    with pytest.raises(InvalidPoseError):
        encode_pose_batch(dataclasses.replace(HEADER, validity=None), [])


# A record: 5 indices at 0-9, validity at 10, flags at 11, error at 12, capture at 16, position at 24, rotation at 36.
@pytest.mark.parametrize(
    ("at", "layout", "values"),
    [
        (0, "H", (5,)),
        (8, "H", (65_535,)),
        (2, "H", (0,)),
        (10, "B", (0,)),
        (10, "B", (5,)),
        (10, "B", (3,)),
        (11, "B", (0,)),
        (12, "f", (float("nan"),)),
        (12, "f", (float("inf"),)),
        (12, "f", (-1.0,)),
        (24, "f", (float("nan"),)),
        (24, "f", (1001.0,)),
        (36, "4f", (0.0, 0.0, 0.0, 0.0)),
        (36, "4f", (1.0, 1.0, 0.0, 0.0)),
        (36, "4f", (float("nan"), 0.0, 0.0, 1.0)),
        (36, "4f", (3e38, 3e38, 3e38, 3e38)),
    ],
)
def test_records_that_lie_are_refused(at, layout, values):
    message = encode_pose_batch(HEADER, [tool(reason="bent")])
    decode(message)
    with pytest.raises(MalformedMessageError):
        decode(patched(message, at, layout, *values))


def test_a_lost_tool_with_an_identity_pose_is_refused():
    message = encode_pose_batch(HEADER, [tool(**LOST)])
    for flags, rotation in [(0, (0, 0, 0, 1)), (1, (0, 0, 0, 1))]:
        lying = patched(patched(message, 11, "B", flags), 36, "4f", *rotation)
        with pytest.raises(MalformedMessageError):
            decode(lying)


def test_poses_in_another_convention_are_refused():
    right_handed = encode_pose_batch(dataclasses.replace(HEADER, flags=0), [tool()])
    with pytest.raises(MalformedMessageError, match="convention"):
        decode(right_handed)


def test_other_messages_and_missing_fields_are_refused():
    for header, body in [
        (dataclasses.replace(HEADER, message_type=32), b""),
        (HEADER, b""),
        (HEADER, pack_field(TAG_STRINGS, bytes(2))),
        (HEADER, pack_field(TAG_STRINGS, bytes(2)) + pack_field(TAG_TOOLS, b"")),
        (HEADER, pack_field(TAG_STRINGS, bytes(2)) + pack_field(TAG_TOOLS, struct.pack("<HH", 56, 65_535))),
        (HEADER, pack_field(TAG_STRINGS, bytes(2)) + pack_field(TAG_TOOLS, struct.pack("<HH", 55, 0))),
        (HEADER, pack_field(TAG_STRINGS, b"\1\0a") + pack_field(TAG_TOOLS, struct.pack("<HH", 56, 0))),
        (HEADER, pack_field(TAG_STRINGS, bytes(4)) + pack_field(TAG_TOOLS, struct.pack("<HH", 56, 0))),
        (HEADER, pack_field(TAG_STRINGS, b"\0\0\2\0a") + pack_field(TAG_TOOLS, struct.pack("<HH", 56, 0))),
    ]:
        with pytest.raises(MalformedMessageError):
            decode(pack_message(header, body))


def test_longer_records_of_a_later_minor_version_are_stepped_over():
    fields = dict(unpack_fields(unpack_message(encode_pose_batch(HEADER, [tool(), tool(tool="drill", **LOST)]))[1]))
    records = bytes(fields[TAG_TOOLS][4:])
    longer = b"".join(records[start : start + RECORD_BYTES] + b"12345678" for start in (0, RECORD_BYTES))
    table = struct.pack("<HH", RECORD_BYTES + 8, 2) + longer
    batch = decode(pack_message(HEADER, pack_field(TAG_STRINGS, fields[TAG_STRINGS]) + pack_field(TAG_TOOLS, table)))
    assert [pose.validity for pose in batch.tools.values()] == [Validity.VALID, Validity.LOST]


def test_the_decoder_notices_when_the_strings_change():
    decoder = PoseBatchDecoder()
    for reason in ("", "covered", "covered", ""):
        state = tool(reason=reason, **LOST)
        assert decoder.decode(encode_pose_batch(HEADER, [state])).tools["stylus"].reason == reason


def test_received_numbers_are_read_only():
    pose = decode(encode_pose_batch(HEADER, [tool()])).tools["stylus"].pose
    with pytest.raises(ValueError, match="read-only"):
        pose.position_m[0] = 1.0

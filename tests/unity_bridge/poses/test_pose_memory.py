"""What encoder and decoder keep from batch to batch changes nothing: each batch is as if it were the first."""

from __future__ import annotations

import dataclasses
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import SurgNavError
from tests.unity_bridge.poses.harness import HEADER
from tests.unity_bridge.strategies import transforms
from tests.unity_bridge.wire.mutation import GOLDEN, mutated
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.poses.encoder import PoseBatchEncoder, encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import HEADER_BYTES, Validity, unpack_message
from unity_bridge.wire.generated.constants import MessageType

BATCH = GOLDEN["pose_batch"]


def outcome(decoder: PoseBatchDecoder, message: bytes) -> object:
    """Everything that a decoder makes of a message, comparable."""
    try:
        batch = decoder.decode(message)
    except SurgNavError as error:
        return type(error), str(error)
    return (
        batch.header,
        batch.validity,
        batch.reason,
        batch.strings,
        batch.records,
        batch.covariances,
        batch.sequence,
        batch.capture_ns,
    )


def changed_in_place(rng: random.Random, original: bytes) -> bytes:
    """A golden batch with some bytes changed and its length kept: what the decoder that remembers looks at."""
    data = bytearray(original)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        width = rng.choice((1, 1, 2, 4, 8))
        content = rng.choice((rng.randbytes(width), bytes(width), b"\xff" * width, struct.pack("<d", 1e300)[:width]))
        data[at : at + width] = content[: len(data) - at]
    return bytes(data)


def test_a_decoder_that_remembers_accepts_and_refuses_the_same() -> None:
    rng, accepted = random.Random(7), 0
    for _ in range(6000):
        original = rng.choice((BATCH, BATCH, GOLDEN["pose_batch_covariances"]))
        message = changed_in_place(rng, original) if rng.random() < 0.8 else mutated(rng)
        fresh, remembering = PoseBatchDecoder(), PoseBatchDecoder()
        remembering.decode(original)
        first = outcome(fresh, message)
        assert outcome(remembering, message) == first
        accepted += not isinstance(first[0], type)
    # Both happen often, or nothing was compared.
    assert 900 < accepted < 5000


def test_what_follows_a_refused_batch_is_read_as_before() -> None:
    decoder = PoseBatchDecoder()
    first = outcome(decoder, BATCH)
    with pytest.raises(SurgNavError):
        decoder.decode(BATCH[:-3])
    assert outcome(decoder, BATCH) == first


def test_a_batch_keeps_its_own_time_and_poses() -> None:
    """Two batches of one layout share what is the same, and nothing else."""
    decoder = PoseBatchDecoder()
    first: PoseBatch = decoder.decode(BATCH)
    later = bytearray(BATCH)
    struct.pack_into("<Qq", later, 16, 7_000, 8_000)
    second = decoder.decode(bytes(later))
    assert (second.sequence, second.capture_ns) == (7_000, 8_000)
    assert (second.header.sequence, second.header.capture_ns) == (7_000, 8_000)
    assert (first.header.sequence, first.header.capture_ns) == (first.sequence, first.capture_ns)
    assert first.sequence != second.sequence
    assert second.header.session_id == second.session_id == unpack_message(BATCH)[0].session_id


COVARIANCES = [None, None, np.eye(3), np.diag([1.0, 2.0, 0.0])]
NAMES = st.sampled_from(["stylus", "drill", "probe"])


@st.composite
def states(draw: st.DrawFn) -> list[ToolState]:
    return [draw(tool_states(name)) for name in draw(st.lists(NAMES, unique=True))]


@st.composite
def tool_states(draw: st.DrawFn, name: str) -> ToolState:
    validity = draw(st.sampled_from(Validity))
    posed = validity is Validity.VALID or (validity is not Validity.LOST and draw(st.booleans()))
    return ToolState(
        tool=name,
        to_frame="reference",
        from_frame="stylus_tip",
        validity=validity,
        T_to_from=draw(transforms()) if posed else None,
        reason=draw(st.sampled_from(["", "covered", "bent"])),
        capture_ns=draw(st.sampled_from([5, 6])) if posed else None,
        expected_error_mm=draw(st.sampled_from([None, 0.0, 0.5])),
        registration_id=draw(st.sampled_from(["", "r-0001"])),
        covariance_mm2=draw(st.sampled_from(COVARIANCES)) if posed else None,
    )


@given(st.lists(st.tuples(states(), st.sampled_from(["", "the reference is covered"])), min_size=2, max_size=4))
@settings(max_examples=150)
def test_an_encoder_that_remembers_writes_the_same_bytes(batches: list[tuple[list[ToolState], str]]) -> None:
    encoder = PoseBatchEncoder()
    for number, (tools, reason) in enumerate(batches):
        header = dataclasses.replace(HEADER, sequence=number + 1, message_type=MessageType.POSE_BATCH)
        message = encoder.encode(header, tools, reason)
        assert message == encode_pose_batch(header, tools, reason)
        decoded = PoseBatchDecoder().decode(message)
        assert list(decoded.tools) == [tool.tool for tool in tools]
        assert len(message) >= HEADER_BYTES

"""Hostile bytes: an error of ours or a message, never a crash, a hang, or memory that the input does not justify."""

import contextlib
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geometry.errors import SurgNavError
from tests.unity_bridge.golden_vectors import FOLDER
from unity_bridge.messages import decode_message
from unity_bridge.pose_batch import PoseBatchDecoder
from unity_bridge.surface_payload import decode_surface

GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))}
# Python objects are larger than the bytes they stand for: a record of 56 bytes becomes a tuple of 16 numbers.
ALLOWED_BYTES_PER_BYTE = 64
ALLOWED_BYTES = 65_536


def decode_anything(data: bytes) -> None:
    """Every decoder that a peer can reach. Warnings are errors: none may come from arithmetic on garbage."""
    for decode in (decode_message, lambda message: PoseBatchDecoder().decode(message).tools, decode_surface):
        with contextlib.suppress(SurgNavError):
            decode(data)


@st.composite
def mutated(draw) -> bytes:
    """A golden message with bytes changed, cut out, repeated or put in: closer to a message than noise ever comes."""
    data = bytearray(draw(st.sampled_from(sorted(GOLDEN.values()))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "insert", "repeat", "number"])):
            case "change":
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del data[at : at + draw(st.integers(1, 64))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=32))
            case "repeat":
                data[at:at] = data[at : at + 64]
            case "number":
                extreme = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
                data[at : at + 4] = bytes([extreme] * 4)
    return bytes(data)


@pytest.mark.filterwarnings("error")
@given(st.binary(max_size=400))
@example(b"")
def test_noise(data):
    decode_anything(data)


@pytest.mark.filterwarnings("error")
@given(st.binary(max_size=300))
def test_noise_after_a_good_beginning(data):
    for golden in GOLDEN.values():
        decode_anything(golden[:64] + data)


@pytest.mark.filterwarnings("error")
@settings(max_examples=400)
@given(mutated())
def test_mutated_messages(data):
    decode_anything(data)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@settings(max_examples=200_000)
@given(mutated())
def test_many_mutated_messages(data):
    decode_anything(data)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_every_truncation(name):
    for length in range(len(GOLDEN[name])):
        decode_anything(GOLDEN[name][:length])


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_lengths_that_lie_allocate_nothing(name):
    """Each 32-bit word in turn claims four billion: of bytes, of vertices, of whatever it counts."""
    data = GOLDEN[name]
    decode_anything(data)  # imports and caches are not the input's doing
    for at in range(len(data) - 4):
        lying = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
        tracemalloc.start()
        decode_anything(lying)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < ALLOWED_BYTES + ALLOWED_BYTES_PER_BYTE * len(data)

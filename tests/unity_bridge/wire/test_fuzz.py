"""Hostile bytes: an error of ours or a message, never a crash, a hang, or memory that the input does not justify."""

import contextlib
import random
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geometry.errors import SurgNavError
from tests.unity_bridge.wire.mutation import GOLDEN, mutated
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.surfaces.compression import decompress_surface
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.messages import decode_message

# Python objects are larger than the bytes they stand for: a record of 56 bytes becomes a tuple of 16 numbers.
ALLOWED_BYTES_PER_BYTE = 64
ALLOWED_BYTES = 65_536
DECODERS = (
    decode_message,
    lambda message: PoseBatchDecoder().decode(message).tools,
    decode_surface,
    decompress_surface,
)


def decode_anything(data: bytes, decoders=DECODERS) -> bool:
    """Every decoder that a peer can reach; True if one accepts. Warnings are errors: garbage makes none either."""
    accepted = False
    for decode in decoders:
        with contextlib.suppress(SurgNavError):
            decode(data)
            accepted = True
    return accepted


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


def fuzz(seed: int, count: int, extra=()) -> int:
    """Decodes `count` damaged messages and returns how many were accepted.

    Decoders that keep something from message to message are kept, as a client keeps them. The memory of each input is
    held against its length.
    """
    rng = random.Random(seed)
    poses = PoseBatchDecoder()
    decoders = (decode_message, lambda message: poses.decode(message).tools, decode_surface, decompress_surface, *extra)
    for data in GOLDEN.values():
        decode_anything(data, decoders)  # imports and caches are not the input's doing
    accepted = 0
    tracemalloc.start()
    try:
        for number in range(count):
            data = mutated(rng)
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            accepted += decode_anything(data, decoders)
            taken = tracemalloc.get_traced_memory()[1] - held
            assert taken < ALLOWED_BYTES + ALLOWED_BYTES_PER_BYTE * len(data), (seed, number, data.hex())
    finally:
        tracemalloc.stop()
    return accepted


@pytest.mark.filterwarnings("error")
def test_damaged_messages():
    assert 300 < fuzz(0, 3000) < 2700, "too one-sided to tell anything"


@pytest.mark.parametrize("wrong", [lambda data: bytes(200_000), lambda data: data[1 << 10]])
def test_a_decoder_that_takes_too_much_or_breaks_is_found(wrong):
    with pytest.raises((AssertionError, IndexError)):
        fuzz(0, 10, extra=[wrong])


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_million_damaged_messages(seed):
    """make test-slow ARGS="-k million": ten times a hundred thousand."""
    accepted = fuzz(seed, 100_000)
    print(f"seed {seed}: {accepted} of 100,000 accepted")
    assert 10_000 < accepted < 90_000


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

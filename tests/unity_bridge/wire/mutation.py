"""Golden vectors, damaged: closer to a message than noise ever comes, and the same ones for the same seed."""

import random
import struct

from tests.unity_bridge.wire.golden_vectors import FOLDER

GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))}
VECTORS = list(GOLDEN.values())
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)
_HEADER_BYTES = 64


def mutated(rng: random.Random) -> bytes:
    """A golden vector with a few things changed."""
    return damaged(rng.choice(VECTORS), rng)


def damaged(message: bytes, rng: random.Random) -> bytes:
    """A message with a few things changed; half of them with a body length that fits again."""
    data = bytearray(message)
    for _ in range(rng.randint(1, 3)):
        _damage(data, rng)
    if len(data) >= _HEADER_BYTES and rng.random() < 0.5:  # else most end at the first check
        struct.pack_into("<I", data, 12, len(data) - _HEADER_BYTES)
    return bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(8):
        case 0:
            data[at : at + 1] = rng.randbytes(1)
        case 1 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 2:
            del data[at : at + rng.randint(1, 64)]
        case 3:
            data[at:at] = rng.randbytes(rng.randint(1, 16))
        case 4:
            data[at:at] = data[at : at + 64]
        case 5:
            width = rng.choice((2, 4, 8))
            data[at : at + width] = bytes([rng.choice(_EXTREMES)] * width)
        case 6:
            other = rng.choice(VECTORS)
            data[at:] = other[at:]
        case 7:  # a field as the schema might have it, with a small tag
            payload = rng.randbytes(rng.choice((0, 1, 4, 8, 32)))
            data += struct.pack("<HI", rng.randint(0, 16), len(payload)) + payload

"""The CRC-64 of OpenIGTLink (ECMA-182: polynomial 0x42F0E1EBA9EA3693, from 0, not reflected), in array code.

A CRC that starts at 0 is linear: the CRC of a message is the exclusive or of what each of its bytes adds at its place.
So 256 bytes at a time are looked up and added, and sums of neighbouring pieces are put together in pairs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x42F0E1EBA9EA3693
_ROW = 256
_PIECE_LEVEL = 12
_PIECE = _ROW << _PIECE_LEVEL  # 1 MiB: bounds what is needed beside the message itself

_U64 = NDArray[np.uint64]


def crc64(data: bytes | bytearray | memoryview) -> int:
    """The CRC of `data`; 0 for nothing."""
    values = np.frombuffer(data, dtype=np.uint8)
    if values.size <= _ROW:
        return int(np.bitwise_xor.reduce(_places().take(_OFFSETS[_ROW - values.size :] + values)))
    # The first piece is the short one: zeros before a message do not change its CRC.
    first = values.size % _PIECE
    crc = np.zeros(1, dtype=np.uint64)
    for start in range(first - _PIECE if first else 0, values.size, _PIECE):
        crc = _shifted(crc, _PIECE_LEVEL) ^ _piece(values[max(start, 0) : start + _PIECE])
    return int(crc[0])


def _piece(values: NDArray[np.uint8]) -> _U64:
    rows = 1 << max(0, (-(-values.size // _ROW) - 1).bit_length())
    whole = np.zeros(rows * _ROW, dtype=np.uint8)
    whole[whole.size - values.size :] = values
    crcs: _U64 = np.bitwise_xor.reduce(_places().take(_OFFSETS + whole.reshape(rows, _ROW)), axis=1)
    level = 0
    while crcs.size > 1:
        crcs = _shifted(crcs[0::2], level) ^ crcs[1::2]
        level += 1
    return crcs


# Where the 256 values of a place begin in the table; the last byte of a row is at place 0.
_OFFSETS = np.arange(_ROW - 1, -1, -1, dtype=np.intp) * 256


@cache
def _places() -> _U64:
    """What each value of a byte adds, with 0 to 255 bytes after it: ``(256 * 256,)``."""
    first = np.arange(256, dtype=np.uint64) << np.uint64(56)
    for _ in range(8):
        carry = (first >> np.uint64(63)) * np.uint64(_POLYNOMIAL)
        first = (first << np.uint64(1)) ^ carry
    table = np.empty((_ROW, 256), dtype=np.uint64)
    table[0] = first
    for place in range(1, _ROW):
        before = table[place - 1]
        table[place] = (before << np.uint64(8)) ^ first[before >> np.uint64(56)]
    return table.reshape(-1)


@cache
def _shift(level: int) -> _U64:
    """What each value of each byte of a CRC becomes after ``256 * 2**level`` more bytes of zero: ``(8, 256)``."""
    if level == 0:
        return _places().reshape(_ROW, 256)[_ROW - 1 : _ROW - 9 : -1].copy()
    return _shifted(_shift(level - 1).reshape(-1), level - 1).reshape(8, 256)


def _shifted(crcs: _U64, level: int) -> _U64:
    octets = crcs.astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.bitwise_xor.reduce(_shift(level)[np.arange(8), octets], axis=1)

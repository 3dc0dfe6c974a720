"""Admission to the poses: a token that a client gets when it has passed the self-test, and loses when it fails one.

The control server issues tokens, the pose publisher checks them; the two run in different processes and share a secret
that is drawn for each session. So a token is known to be good without asking, from the moment it was issued, and only
its withdrawal has to be told. A token is bound to the key of the client that it was issued to: with keys, who overhears
or copies it gets nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

_NUMBER_BYTES = 8
_TOKEN_BYTES = 32


class Admissions:
    """Issues and withdraws tokens, in the process of the control server.

    Args:
        secret: the session's secret, at least 16 bytes, known to the pose publisher too.
        withdraw: tells the pose publisher the number of a token that no longer admits.
    """

    def __init__(self, secret: bytes, withdraw: Callable[[int], object]) -> None:
        self._secret, self._withdraw = secret, withdraw
        self._issued = 0

    def issue(self, key: str) -> bytes:
        """A token of its own for a client with this key in Z85; an empty key where there are no keys."""
        self._issued += 1
        return _token(self._secret, self._issued, key)

    def withdraw(self, token: bytes) -> None:
        """Ends what this token admits to."""
        self._withdraw(int.from_bytes(token[:_NUMBER_BYTES], "big"))


class AdmissionCheck:
    """Checks tokens, in the process of the pose publisher.

    Args:
        secret: the session's secret.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        # Grows by one with each client that fails after it has passed; a key may take 2 self-tests a second.
        self._withdrawn: set[int] = set()

    def withdraw(self, number: int) -> None:
        """A token that no longer admits."""
        self._withdrawn.add(number)

    def number(self, token: bytes, key: str) -> int | None:
        """The number of a token that admits the client with this key; None if it admits nobody, or another."""
        number = int.from_bytes(token[:_NUMBER_BYTES], "big")
        if not hmac.compare_digest(token, _token(self._secret, number, key)) or number in self._withdrawn:
            return None
        return number


def _token(secret: bytes, number: int, key: str) -> bytes:
    head = number.to_bytes(_NUMBER_BYTES, "big")
    return head + hmac.digest(secret, head + key.encode("ascii"), "sha256")[: _TOKEN_BYTES - _NUMBER_BYTES]

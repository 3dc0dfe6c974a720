"""Pose batches as bytes, without a socket: what a client would receive, to be compared or kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from unity_bridge.poses.encoder import PoseBatchEncoder
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import MessageType, Session, Validity


class PoseBytes:
    """Satisfies `navigation.live.pose_loop.Publisher`.

    Args:
        session: stamps the messages.
        keep: is given the bytes of each batch.

    Attributes:
        validities: tool -> how many batches had it in which state.
    """

    def __init__(self, session: Session, keep: Callable[[bytes], object] = lambda message: None) -> None:
        self._session, self._keep = session, keep
        self._encoder = PoseBatchEncoder()
        self._hash = hashlib.sha256()
        self._sequence = 0
        self.validities: dict[str, Counter[Validity]] = {}

    @property
    def batches(self) -> int:
        """Number of batches so far."""
        return self._sequence

    @property
    def sha256(self) -> str:
        """Of all bytes so far."""
        return self._hash.hexdigest()

    def publish(
        self, tools: Sequence[ToolState], capture_ns: int, validity: Validity = Validity.VALID, reason: str = ""
    ) -> int:
        header = self._session.header(MessageType.POSE_BATCH, self._sequence + 1, capture_ns, validity)
        message = self._encoder.encode(header, tools, reason)
        self._sequence += 1
        self._hash.update(message)
        self._keep(message)
        for state in tools:
            self.validities.setdefault(state.tool, Counter())[state.validity] += 1
        return self._sequence

"""Counts received and lost pose batches, and keeps the newest and a limited number of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.errors import MalformedMessageError
from unity_bridge.poses.batch import PoseBatch
from unity_bridge.wire.envelope import NO_SESSION


@dataclass(frozen=True, eq=False)
class LoggedBatch:
    """A batch, and when it was received and decoded, on the client's clock."""

    batch: PoseBatch
    received_ns: int
    decoded_ns: int


class PoseLog:
    """Counts batches by their sequence numbers and keeps up to `max_batches` of them.

    Attributes:
        batches: the batches kept.
        newest: the newest batch; None before the first.
        received: number of batches received.
        lost: number of sequence numbers that were skipped.
        sessions: number of server sessions seen; each has its own sequence numbers.
        first_sequence, last_sequence: of the last session.
        session_id: id of the last session; all zero before the first batch.
    """

    def __init__(self, max_batches: int) -> None:
        self._max_batches = max_batches
        self.batches: list[LoggedBatch] = []
        self.newest: PoseBatch | None = None
        self.received = 0
        self.lost = 0
        self.sessions = 0
        self.first_sequence = 0
        self.last_sequence = 0
        self.session_id = NO_SESSION

    @property
    def is_full(self) -> bool:
        """Whether batches are counted but no longer kept."""
        return self.received > len(self.batches)

    def add(self, batch: PoseBatch, received_ns: int, decoded_ns: int) -> None:
        """Adds a batch.

        Raises:
            MalformedMessageError: a sequence number that does not grow: a repeated or replayed batch.
        """
        if batch.session_id != self.session_id:
            self.session_id = batch.session_id
            self.sessions += 1
            self.first_sequence = batch.sequence
        elif batch.sequence <= self.last_sequence:
            raise MalformedMessageError(
                f"pose batch {batch.sequence} after {self.last_sequence}", "growing sequence numbers", "drop the batch"
            )
        else:
            self.lost += batch.sequence - self.last_sequence - 1
        self.last_sequence = batch.sequence
        self.newest = batch
        self.received += 1
        if len(self.batches) < self._max_batches:
            self.batches.append(LoggedBatch(batch, received_ns, decoded_ns))

    def close_at(self, session_id: bytes, sequence: int) -> None:
        """Counts batches up to `sequence` of the last session as lost if they have not arrived."""
        if self.received and session_id == self.session_id and sequence > self.last_sequence:
            self.lost += sequence - self.last_sequence
            self.last_sequence = sequence

"""Plans which levels to pull: the coarsest level of every surface first, then finer ones within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unity_bridge.wire.generated.constants import MAX_PAYLOAD_BYTES
from unity_bridge.wire.messages import SurfaceEntry, SurfaceLevel

# A GLB stores positions in single precision, and takes two to three times the bytes of the payload.
_MAX_GLB_BYTES = 4 * MAX_PAYLOAD_BYTES


class Form(StrEnum):
    """The form in which a level is transferred."""

    RAW = "raw"
    COMPRESSED = "compressed"
    GLB = "glb"


@dataclass(frozen=True)
class Item:
    """One level of one surface, in one form.

    Attributes:
        entry, level: the surface and the level in the manifest.
        rank: index of the level, 0 for the coarsest.
        form: the form in which it is transferred.
    """

    entry: SurfaceEntry
    level: SurfaceLevel
    rank: int
    form: Form

    @property
    def sha256(self) -> str:
        """SHA-256 of the transferred bytes."""
        hashes = {Form.COMPRESSED: self.level.compressed_sha256, Form.GLB: self.level.glb_sha256}
        return hashes.get(self.form) or self.level.sha256

    @property
    def byte_count(self) -> int:
        """Number of transferred bytes."""
        counts = {Form.COMPRESSED: self.level.compressed_byte_count, Form.GLB: self.level.glb_byte_count}
        return counts.get(self.form, self.level.byte_count)

    @property
    def memory_bytes(self) -> int:
        """Memory that the item takes, including its decompressed form."""
        return self.level.byte_count + self.byte_count if self.form is Form.COMPRESSED else self.byte_count

    @property
    def limit_bytes(self) -> int:
        """Largest size that the protocol allows for this form."""
        return _MAX_GLB_BYTES if self.form is Form.GLB else MAX_PAYLOAD_BYTES


Offer = Mapping[str, tuple[SurfaceEntry, Sequence[SurfaceLevel]]]


def choose_levels(offer: Offer, max_triangles: int | None) -> dict[str, int]:
    """Chooses the finest level of each surface such that all together keep within the budget.

    Every surface gets at least its coarsest level, whatever the budget, since a missing surface would look like missing
    anatomy. Then the levels are raised one by one, in the order of the manifest, while the budget allows.

    Args:
        offer: entry and levels, by the entry's hash.
        max_triangles: budget of all surfaces together; None for the full surfaces.

    Returns:
        The index of the chosen level, by the entry's hash.
    """
    if max_triangles is None:
        return {sha: len(levels) - 1 for sha, (_, levels) in offer.items()}
    chosen = dict.fromkeys(offer, 0)
    left = max_triangles - sum(levels[0].triangle_count for _, levels in offer.values())
    for rank in range(1, max((len(levels) for _, levels in offer.values()), default=0)):
        for sha, (_, levels) in offer.items():
            if chosen[sha] != rank - 1 or rank >= len(levels):
                continue
            step = levels[rank].triangle_count - levels[rank - 1].triangle_count
            if step <= left:
                chosen[sha], left = rank, left - step
    return chosen


def plan(offer: Offer, chosen: Mapping[str, int], form: Form, with_glb: bool) -> list[Item]:
    """Everything to pull, in order: all coarsest levels, then the next ones up to the chosen ones, then GLBs.

    Args:
        offer, chosen: as for `choose_levels`, and its result.
        form: form of the levels that have a compressed form.
        with_glb: whether to pull the GLB of each chosen level too.
    """
    items = []
    for rank in range(max(chosen.values(), default=-1) + 1):
        for sha, (entry, levels) in offer.items():
            if rank <= chosen[sha]:
                level = levels[rank]
                items.append(Item(entry, level, rank, form if level.compressed_sha256 else Form.RAW))
    if with_glb:
        best = [(entry, levels[chosen[sha]], chosen[sha]) for sha, (entry, levels) in offer.items()]
        items += [Item(entry, level, rank, Form.GLB) for entry, level, rank in best if level.glb_sha256]
    return items

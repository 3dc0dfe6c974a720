"""What to pull, and in which order: the coarsest level of every surface, then finer ones, within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from unity_bridge.wire.generated.constants import MAX_PAYLOAD_BYTES
from unity_bridge.wire.messages import SurfaceEntry, SurfaceLevel

# A GLB holds single precision where the payload holds steps: two to three times the bytes.
_MAX_GLB_BYTES = 4 * MAX_PAYLOAD_BYTES


class Form(StrEnum):
    """How a level travels."""

    RAW = "raw"
    COMPRESSED = "compressed"
    GLB = "glb"


@dataclass(frozen=True)
class Item:
    """One level of one surface, in one form.

    Attributes:
        rank: the level's place, 0 for the coarsest.
    """

    entry: SurfaceEntry
    level: SurfaceLevel
    rank: int
    form: Form

    @property
    def sha256(self) -> str:
        """Of the bytes that travel."""
        hashes = {Form.COMPRESSED: self.level.compressed_sha256, Form.GLB: self.level.glb_sha256}
        return hashes.get(self.form) or self.level.sha256

    @property
    def byte_count(self) -> int:
        """Of the bytes that travel."""
        counts = {Form.COMPRESSED: self.level.compressed_byte_count, Form.GLB: self.level.glb_byte_count}
        return counts.get(self.form, self.level.byte_count)

    @property
    def memory_bytes(self) -> int:
        """What it takes to hold it, unpacked."""
        return self.level.byte_count + self.byte_count if self.form is Form.COMPRESSED else self.byte_count

    @property
    def limit_bytes(self) -> int:
        """No honest server goes beyond."""
        return _MAX_GLB_BYTES if self.form is Form.GLB else MAX_PAYLOAD_BYTES


Offer = Mapping[str, tuple[SurfaceEntry, Sequence[SurfaceLevel]]]


def choose_levels(offer: Offer, max_triangles: int | None) -> dict[str, int]:
    """Which level of each surface to show: the finest ones that keep to the budget together.

    Every surface gets its coarsest level, whatever the budget: a surface that is missing would look like one that is
    not there. Then all go up level by level, in the order of the manifest, as long as the budget holds the step.

    Args:
        offer: entry and levels, by the entry's hash.
        max_triangles: of all surfaces together; None for the full ones.

    Returns:
        The level's place, by the entry's hash.
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
    """Everything to pull, in order: all coarsest levels, all next ones, up to those chosen; GLBs of these last.

    Args:
        form: how levels travel that have a compressed form.
        with_glb: also the GLB of each chosen level.
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

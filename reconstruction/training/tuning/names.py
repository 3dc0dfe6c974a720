"""Which classes of a network a label means, by its name: TotalSegmentator's names, and the classes' own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reconstruction.network.classes import OUTSIDE

_SPINE = ("vertebra_cervical", "vertebra_thoracic", "vertebra_lumbar")
_SKELETON = ("bone", "rib", *_SPINE, "sacrum")
WHOLE_BODY = "body"

# Pattern of a label's name -> its classes, the most exact first; the first of which a network has any counts. A network
# of few classes takes a rib for bone; one that knows ribs takes the label "bone" for all that is bone.
_MEANINGS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("vertebra*_c[0-9]*", (("vertebra_cervical",), ("bone",))),
    ("vertebra*_t[0-9]*", (("vertebra_thoracic",), ("bone",))),
    ("vertebra*_l[0-9]*", (("vertebra_lumbar",), ("bone",))),
    ("vertebra*", (_SPINE, ("bone",))),
    ("sacrum", (("sacrum",), ("bone",))),
    ("rib*", (("rib",), ("bone",))),
    ("bone*", (_SKELETON,)),
    *((name, (("bone",),)) for name in ("sternum", "scapula*", "clavicula*", "humerus*", "femur*", "hip_*", "skull")),
    ("lung*", (("lung",),)),
    ("liver", (("liver",),)),
    ("spleen", (("spleen",),)),
    ("kidney", (("kidney",),)),
    ("kidney_left", (("kidney",),)),
    ("kidney_right", (("kidney",),)),
    ("aorta", (("aorta",),)),
    *((name, (("vessel",),)) for name in ("heart*", "*_vena_cava", "portal_vein*", "iliac_*", "pulmonary_*")),
    *((name, (("bowel",),)) for name in ("stomach", "duodenum", "small_bowel", "colon", "esophagus")),
)


def classes_of(label: str, classes: Sequence[str]) -> tuple[int, ...]:
    """Indices of the classes that a label's voxels may have; empty where the network knows none of them."""
    name = label.lower()
    if name in ("skin", WHOLE_BODY):
        return tuple(index for index, known in enumerate(classes) if known != OUTSIDE)
    for pattern, alternatives in _MEANINGS:
        if fnmatchcase(name, pattern):
            for wanted in alternatives:
                found = tuple(index for index, known in enumerate(classes) if known in wanted)
                if found:
                    return found
    return tuple(index for index, known in enumerate(classes) if known == name)


def without_shared(groups: Iterable[tuple[int, ...]]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Each group -> what is left of it for its own label where narrower labels claim some of its classes."""
    wanted = sorted(set(groups), key=len)
    taken: set[int] = set()
    left: dict[tuple[int, ...], tuple[int, ...]] = {}
    for group in wanted:
        own = tuple(index for index in group if index not in taken)
        left[group] = own or group
        taken |= set(group)
    return left


def group_name(group: tuple[int, ...], classes: Sequence[str]) -> str:
    """A group of classes in words."""
    names = [classes[index] for index in group]
    return WHOLE_BODY if WHOLE_BODY in names else " + ".join(names)

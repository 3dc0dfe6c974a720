"""What a structure is called in DICOM: codes of SNOMED CT, where there is one for it, and colours in CIELab.

Codes are taken by their keyword from pydicom's dictionaries of the standard, so that none is typed by hand. A structure
without one keeps its own name under this program's designator, and is never given a code that is nearly right.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from geometry.extras import from_extra

SCHEME = "99SURGNAV"
# Our names, as regular expressions of the whole name, to keywords of SNOMED CT in pydicom; the first that fits.
_KEYWORDS = (
    (r"skin", "Skin"),
    (r"bones?", "Bone"),
    (r"lungs?(_.+)?", "Lung"),
    (r"liver", "Liver"),
    (r"spleen", "Spleen"),
    (r"kidney", "Kidney"),
    (r"pancreas", "Pancreas"),
    (r"stomach", "Stomach"),
    (r"aorta", "Aorta"),
    (r"heart", "Heart"),
    (r"trachea", "Trachea"),
    (r"portal_vein", "PortalVein"),
    (r"(inferior_)?vena_cava", "InferiorVenaCava"),
    (r"hepatic_veins?", "HepaticVein"),
    (r"sacrum", "Sacrum"),
    (r"femur", "Femur"),
    (r"ribs?(_\d+)?", "Rib"),
    (r"spinal_cord", "SpinalCord"),
    (r"spinal_canal", "SpinalCanalStructure"),
    (r"vertebrae", "Vertebra"),
)
_VERTEBRA = re.compile(r"vertebrae?_([ctl])(\d{1,2})")
_SIDE = re.compile(r"(.+)_(left|right)|(left|right)_(.+)")


@dataclass(frozen=True)
class StructureCode:
    """How a structure is coded.

    Attributes:
        category: of the segmented property: anatomical structure.
        kind: its type.
        side: ``Left`` or ``Right`` as a code; None where the name has no side.
    """

    category: Any
    kind: Any
    side: Any


def code_of(structure: str) -> StructureCode:
    """The codes of a structure of a case, by its name there."""
    with from_extra("archive"):
        from pydicom.sr.codedict import codes

    side, name = _side_of(structure)
    keyword = _keyword(name)
    kind = getattr(codes.SCT, keyword, None) if keyword else None
    if kind is None:
        kind, side = private_code(structure), ""
    return StructureCode(codes.SCT.AnatomicalStructure, kind, getattr(codes.SCT, side) if side else None)


def private_code(meaning: str) -> Any:
    """A code of this program's own for a meaning; the same one always."""
    with from_extra("archive"):
        from highdicom.sr import CodedConcept

    value = re.sub(r"[^A-Z0-9]+", "_", meaning.upper()).strip("_")
    if len(value) > 16 or not value:  # a code has 16 characters at most
        value = hashlib.sha256(meaning.encode()).hexdigest()[:16].upper()
    return CodedConcept(value, SCHEME, meaning[:64])


def _side_of(structure: str) -> tuple[str, str]:
    found = _SIDE.fullmatch(structure)
    if found is None:
        return "", structure
    side, name = (found[2], found[1]) if found[2] else (found[3], found[4])
    return side.capitalize(), name


def _keyword(name: str) -> str | None:
    vertebra = _VERTEBRA.fullmatch(name)
    if vertebra:
        return f"{vertebra[1].upper()}{int(vertebra[2])}Vertebra"
    return next((keyword for pattern, keyword in _KEYWORDS if re.fullmatch(pattern, name)), None)

"""What the compartments of a label map are made of: a tissue kind for each label and layer, and its HU.

HU after Hounsfield's scale and textbooks of abdominal CT; ranges are wide on purpose, for other scanners, kilovolts and
patients. Contrast medium is drawn once for a sample as a phase (native, arterial, portal, late) that vessels and organs
share, or at times for each by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from geometry.points import Singles

# Label names (TotalSegmentator's; patterns in order, the first that fits) to the kind of their tissue.
KINDS = (
    ("vertebrae_*", "bone_spine"),
    ("sacrum", "bone_spine"),
    ("coccyx", "bone_spine"),
    ("rib_*", "bone_chest"),
    ("sternum", "bone_chest"),
    ("hip_*", "bone_pelvis"),
    ("femur_*", "bone_limb"),
    ("humerus_*", "bone_limb"),
    ("scapula_*", "bone_limb"),
    ("clavicula_*", "bone_limb"),
    ("skull", "bone_limb"),
    ("costal_cartilages", "cartilage"),
    ("lung_*", "lung"),
    ("trachea", "airway"),
    ("liver", "liver"),
    ("spleen", "spleen"),
    ("kidney_cyst_*", "fluid"),
    ("kidney_*", "kidney"),
    ("pancreas", "gland"),
    ("adrenal_gland_*", "gland"),
    ("prostate", "gland"),
    ("uterus", "gland"),
    ("thyroid_gland", "thyroid"),
    ("gallbladder", "fluid"),
    ("urinary_bladder", "urine"),
    ("ureter_*", "urine"),
    ("heart", "heart"),
    ("atrial_appendage_left", "artery"),
    ("aorta", "artery"),
    ("abdominal_arteries", "artery"),
    ("*_artery_*", "artery"),
    ("brachiocephalic_trunk", "artery"),
    ("pulmonary_vein", "pulmonary"),
    ("superior_vena_cava", "vein_upper"),
    ("brachiocephalic_vein_*", "vein_upper"),
    ("inferior_vena_cava", "vein"),
    ("iliac_*", "vein"),
    ("renal_vessels", "vein"),
    ("portal_*", "portal"),
    ("hepatic_veins", "portal"),
    ("stomach", "bowel"),
    ("duodenum", "bowel"),
    ("small_bowel", "bowel"),
    ("colon", "bowel"),
    ("rectum", "bowel"),
    ("esophagus", "bowel"),
    ("gluteus_*", "muscle"),
    ("autochthon_*", "muscle"),
    ("iliopsoas_*", "muscle"),
    ("spinal_cord", "nerve"),
    ("brain", "nerve"),
)

# Mean HU without contrast medium, (low, high), and the standard deviation of the tissue's own texture.
NATIVE_HU: dict[str, tuple[float, float, float]] = {
    "unlabelled": (0.0, 0.0, 0.0),  # drawn by place: see filler.py
    "cartilage": (60.0, 200.0, 25.0),
    "airway": (-1000.0, -950.0, 8.0),
    "lung": (-920.0, -720.0, 25.0),
    "liver": (15.0, 70.0, 6.0),
    "spleen": (35.0, 60.0, 6.0),
    "kidney_cortex": (25.0, 45.0, 6.0),
    "kidney_medulla": (20.0, 40.0, 8.0),
    "gland": (15.0, 60.0, 12.0),
    "thyroid": (60.0, 160.0, 15.0),
    "fluid": (-5.0, 30.0, 4.0),
    "urine": (-5.0, 20.0, 4.0),
    "heart": (30.0, 55.0, 8.0),
    "artery": (30.0, 55.0, 6.0),
    "pulmonary": (30.0, 55.0, 6.0),
    "vein_upper": (30.0, 55.0, 8.0),
    "vein": (30.0, 55.0, 8.0),
    "portal": (30.0, 55.0, 6.0),
    "bowel_wall": (20.0, 60.0, 10.0),
    "bowel_inside": (0.0, 40.0, 10.0),
    "muscle": (35.0, 70.0, 8.0),
    "nerve": (20.0, 50.0, 6.0),
    "disc": (50.0, 130.0, 10.0),
}
# Bones: (low, high) of cortex and of marrow, the two drawn apart, and the textures' standard deviations.
CORTEX_HU = {
    "bone_spine": (350.0, 1200.0),
    "bone_chest": (250.0, 900.0),
    "bone_pelvis": (350.0, 1400.0),
    "bone_limb": (400.0, 1500.0),
}
CORTEX_TEXTURE_HU = 80.0
MARROW_HU = {
    "bone_spine": (30.0, 350.0),
    "bone_chest": (-20.0, 300.0),
    "bone_pelvis": (-40.0, 300.0),
    "bone_limb": (-80.0, 300.0),
}
MARROW_TEXTURE_HU = 35.0
# The cortex is denser than the marrow by this much at least.
CORTEX_OVER_MARROW_HU = 150.0

# HU that contrast medium adds in each phase.
UPTAKE_HU: dict[str, dict[str, tuple[float, float]]] = {
    "arterial": {
        "artery": (150.0, 420.0), "pulmonary": (120.0, 420.0), "heart": (80.0, 350.0), "vein_upper": (0.0, 600.0),
        "vein": (0.0, 50.0), "portal": (0.0, 70.0), "liver": (0.0, 25.0), "spleen": (30.0, 110.0),
        "kidney_cortex": (90.0, 200.0), "kidney_medulla": (0.0, 60.0), "gland": (20.0, 80.0), "muscle": (0.0, 8.0),
        "bowel_wall": (10.0, 70.0), "thyroid": (40.0, 120.0),
    },
    "portal": {
        "artery": (70.0, 150.0), "pulmonary": (70.0, 150.0), "heart": (60.0, 140.0), "vein_upper": (60.0, 160.0),
        "vein": (50.0, 150.0), "portal": (90.0, 180.0), "liver": (35.0, 85.0), "spleen": (50.0, 95.0),
        "kidney_cortex": (100.0, 200.0), "kidney_medulla": (60.0, 200.0), "gland": (30.0, 80.0), "muscle": (5.0, 20.0),
        "bowel_wall": (20.0, 70.0), "thyroid": (40.0, 110.0),
    },
    "late": {
        "artery": (35.0, 90.0), "pulmonary": (35.0, 90.0), "heart": (30.0, 90.0), "vein_upper": (35.0, 90.0),
        "vein": (35.0, 90.0), "portal": (35.0, 90.0), "liver": (20.0, 60.0), "spleen": (25.0, 60.0),
        "kidney_cortex": (60.0, 150.0), "kidney_medulla": (60.0, 180.0), "gland": (15.0, 50.0), "muscle": (5.0, 20.0),
        "bowel_wall": (10.0, 40.0), "urine": (0.0, 600.0), "thyroid": (30.0, 80.0),
    },
}  # fmt: skip
_PHASES = ("native", "arterial", "portal", "late", "apart")
_PHASE_CHANCES = (0.3, 0.15, 0.25, 0.1, 0.2)


@dataclass(frozen=True)
class Part:
    """A compartment: the label it belongs to, the kind of its tissue, and its layer (bone: cortex, between, marrow)."""

    label: str
    kind: str
    layer: str = ""


@dataclass(frozen=True)
class PartHU:
    """HU of each part ``(n_parts,)``: mean, and standard deviation of the texture."""

    means: Singles
    textures: Singles


def kind_of(label: str) -> str:
    """The kind of a label's tissue; a label without one is muscle, the commonest soft tissue."""
    return next((kind for pattern, kind in KINDS if fnmatchcase(label.lower(), pattern)), "muscle")


def draw_part_hu(parts: tuple[Part, ...], uptake: Mapping[str, float], rng: np.random.Generator) -> PartHU:
    """HU for one sample: means of all kinds, then each part around its kind's."""
    native = {kind: rng.uniform(low, high) for kind, (low, high, _) in NATIVE_HU.items()}
    blood = native["artery"]
    native |= dict.fromkeys(("artery", "pulmonary", "vein_upper", "vein", "portal", "heart"), blood)
    density, sharing = rng.uniform(), rng.uniform()
    cortex = {kind: low + density * (high - low) for kind, (low, high) in CORTEX_HU.items()}
    marrow = {kind: rng.uniform(*limits) for kind, limits in MARROW_HU.items()}
    means, textures = np.zeros(len(parts), np.float32), np.zeros(len(parts), np.float32)
    own = rng.normal(size=len(parts))
    # The layers of one bone vary together, so that its cortex stays denser than its marrow.
    first = {part.label: n for n, part in reversed(list(enumerate(parts)))}
    for n, part in enumerate(parts):
        if part.layer:
            layers_hu, shift = (cortex[part.kind], marrow[part.kind]), float(own[first[part.label]])
            means[n], textures[n] = _bone_hu(part, *layers_hu, sharing, shift)
        else:
            low, high, textures[n] = NATIVE_HU[part.kind]
            added = uptake.get(part.kind, 0.0)
            means[n] = np.clip(native[part.kind] + 4 * own[n], low, high) + added * (1 + 0.04 * own[n])
    return PartHU(means, textures * np.float32(rng.uniform(0.5, 1.5)))


def draw_uptake(rng: np.random.Generator) -> dict[str, float]:
    """HU that contrast medium adds to each kind: one phase, or each kind from a phase of its own."""
    phase = str(rng.choice(_PHASES, p=_PHASE_CHANCES))
    if phase == "native":
        return {}
    if phase != "apart":
        strength = rng.uniform()
        # Much medium makes all of it bright: mostly common, the rest each for itself.
        return {
            kind: low + (high - low) * float(np.clip(0.6 * strength + 0.4 * rng.uniform(), 0, 1))
            for kind, (low, high) in UPTAKE_HU[phase].items()
        }
    kinds = sorted({kind for of_phase in UPTAKE_HU.values() for kind in of_phase})
    phases = [UPTAKE_HU[str(rng.choice(_PHASES[1:4]))] for _ in kinds]
    return {kind: rng.uniform(*ranges.get(kind, (0.0, 0.0))) for kind, ranges in zip(kinds, phases, strict=True)}


def _bone_hu(part: Part, cortex: float, marrow: float, sharing: float, own: float) -> tuple[float, float]:
    """Mean and texture of a layer of bone; the layer between has a share of both, so the cortex is thick or thin."""
    marrow = float(np.clip(marrow + 25 * own, *MARROW_HU[part.kind]))
    lowest, highest = CORTEX_HU[part.kind]
    cortex = float(np.clip(cortex * (1 + 0.1 * own), max(lowest, marrow + CORTEX_OVER_MARROW_HU), highest))
    if part.layer == "cortex":
        return cortex, CORTEX_TEXTURE_HU
    if part.layer == "marrow":
        return marrow, MARROW_TEXTURE_HU
    return marrow + sharing * (cortex - marrow), (CORTEX_TEXTURE_HU + MARROW_TEXTURE_HU) / 2

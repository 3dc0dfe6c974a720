"""The card of a guest: what its own files say that it is, needs and gives; and what a CT must be like for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from geometry.volume import Volume
from reconstruction.guests.errors import ModelError

Kind = Literal["monai", "nnunet", "onnx", "surgnav"]
KINDS: Mapping[str, str] = {
    "monai": "MONAI bundle",
    "nnunet": "nnU-Net v2 folder",
    "onnx": "ONNX file",
    "surgnav": "SurgNav, trained here",
}
NOT_STATED = "not stated"

TISSUE_HU = -300.0  # what is denser is the patient, not the air around or in him
LARGEST_OUTSIDE = 0.5  # share of the patient's voxels beyond the network's intensities, from which a person is warned
COARSER_BY = 2.0  # times the spacing that the network was trained on, from which a person is warned


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a network of others says of itself.

    Attributes:
        name: by which it is asked for here.
        kind: key of `KINDS`.
        path: absolute path of its folder or file.
        structures: names in its own words, without the background.
        spacing_mm: of its grid along left-right, front-back, up-down; None where it takes the CT's.
        trained_spacing_mm: median of its training scans, same order; None where it is not stated.
        orientation: axes that it wants, such as ``RAS``: the directions in which i, j, k grow.
        intensities_hu: HU that it tells apart, lowest and highest; None where it is not stated.
        window: voxels along left-right, front-back, up-down that it sees at once; None where it takes any.
        licence: as stated in its files.
        trained_on: as stated in its files.
        modality: as stated in its files.
        notes: what a person should know before using it: what was assumed or left out.
        files: path within the folder -> SHA-256, of everything that decides what it does.
        trusted: a person has said that its files may run code.
        mirror: average over mirrored windows too, as nnU-Net does by default; eight times as slow.
    """

    name: str
    kind: Kind
    path: str
    structures: tuple[str, ...]
    spacing_mm: tuple[float, float, float] | None
    trained_spacing_mm: tuple[float, float, float] | None = None
    orientation: str
    intensities_hu: tuple[float, float] | None = None
    window: tuple[int, int, int] | None = None
    licence: str = NOT_STATED
    trained_on: str = NOT_STATED
    modality: str = NOT_STATED
    notes: tuple[str, ...] = ()
    files: Mapping[str, str]
    trusted: bool = False
    mirror: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ModelCard:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: a key is missing or unknown.
        """
        known = {field.name for field in fields(ModelCard)}
        taken: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        if not set(taken) <= known or taken.get("kind") not in KINDS:
            raise _unreadable(sorted(set(taken) - known))
        try:
            return ModelCard(**taken)
        except TypeError as error:
            raise _unreadable([str(error)]) from error


def _unreadable(what: list[str]) -> ModelError:
    return ModelError(
        f"a description of a network that this version does not know ({', '.join(what) or 'another kind'})",
        "a description written by 'surgnav models add'",
        "add the network again",
    )


def doubts_about(card: ModelCard, ct: Volume) -> tuple[str, ...]:
    """Why a CT lies outside of what the network was made for, as far as its card says; empty where it does not.

    Args:
        ct: HU in the frame ``ct``, near-LPS axes.
    """
    said = []
    trained = card.trained_spacing_mm or card.spacing_mm
    if trained is not None and float(ct.spacing_mm.max()) > COARSER_BY * max(trained):
        said.append(
            f"slices or voxels of {float(ct.spacing_mm.max()):.3g} mm; '{card.name}' was made for "
            f"{max(trained):.3g} mm: what is thin may be missed"
        )
    if card.window is not None and card.spacing_mm is not None:
        seen_mm = np.array(card.window) * card.spacing_mm
        extent_mm = np.array(ct.shape_ijk) * ct.spacing_mm
        short = [axis for axis in range(3) if extent_mm[axis] < 0.5 * seen_mm[axis]]
        said += [
            f"a field of view of {extent_mm[axis]:.0f} mm {_AXES[axis]}; '{card.name}' looks at {seen_mm[axis]:.0f} mm "
            "at once, and sees emptiness beyond the scan"
            for axis in short
        ]
    if card.intensities_hu is not None:
        said += _outside_intensities(card.name, card.intensities_hu, ct)
    return tuple(said)


_AXES = ("from left to right", "from front to back", "from foot to head")


def _outside_intensities(name: str, limits_hu: tuple[float, float], ct: Volume) -> list[str]:
    sample = np.asarray(ct.voxels[:: max(1, ct.voxels.shape[0] // 64)], np.float32)
    patient = sample[sample > TISSUE_HU]
    low, high = limits_hu
    if not patient.size:
        return [f"nothing denser than {TISSUE_HU:g} HU in it: no patient, or values that are not HU"]
    outside = float(((patient < low) | (patient > high)).mean())
    if outside <= LARGEST_OUTSIDE:
        return []
    return [
        f"{outside:.0%} of what is denser than {TISSUE_HU:g} HU lies outside of {low:g} to {high:g} HU, which is all "
        f"that '{name}' tells apart: contrast medium, metal, or another scale than its training scans"
    ]

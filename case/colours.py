"""One table of colours: a structure looks the same in a surface file, a slice, a scene and a legend.

Close to 3D Slicer's and the atlases' colours where the body suggests one, else Okabe and Ito's palette, which people
with any colour blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Rgb = tuple[float, float, float]

STRUCTURES: Mapping[str, str] = MappingProxyType(
    {
        "body": "#e8b899",  # skin
        "bone": "#f2e8cf",  # ivory
        "vertebra": "#e0cd9a",
        "lung": "#8fbbe8",
        "liver": "#a8412f",  # brown-red
        "vessel": "#d1495b",
        "nerve": "#f4d631",
        "aorta": "#d1302f",
        "vena_cava": "#3466c2",
        "portal_vein": "#5a7fd6",
        "hepatic_veins": "#3f8fd0",
        "lesion": "#f0c541",
    }
)
OTHER_STRUCTURE = "#9aa5b1"
# What lies around the rest is translucent, so that the rest shows through.
OPACITY: Mapping[str, float] = MappingProxyType({"body": 0.35, "lung": 0.6})


def rgb(hexadecimal: str) -> Rgb:
    """``#rrggbb`` as three numbers from 0 to 1."""
    red, green, blue = (int(hexadecimal[n : n + 2], 16) / 255.0 for n in (1, 3, 5))
    return red, green, blue


def structure_colour(name: str) -> str:
    """A structure's colour as ``#rrggbb``; vertebrae of all numbers share one, unknown ones a neutral grey-blue."""
    return STRUCTURES["vertebra"] if name.startswith("vertebra_") else STRUCTURES.get(name, OTHER_STRUCTURE)


def structure_rgba(name: str) -> tuple[float, float, float, float]:
    """A structure's colour for surface files: red, green, blue and opacity from 0 to 1."""
    return (*rgb(structure_colour(name)), OPACITY.get(name, 1.0))

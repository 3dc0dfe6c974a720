"""One table of colours, for every picture: a structure looks the same in a slice, in the scene and in a legend.

Okabe & Ito's palette (chosen to be told apart by people with any colour blindness) wherever the body itself does not
suggest a colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Rgb = tuple[float, float, float]


def rgb(hexadecimal: str) -> Rgb:
    """``#rrggbb`` as three numbers from 0 to 1."""
    red, green, blue = (int(hexadecimal[n : n + 2], 16) / 255.0 for n in (1, 3, 5))
    return red, green, blue


STRUCTURES: Mapping[str, str] = MappingProxyType(
    {
        "body": "#e8b899",  # skin
        "bone": "#f2e8cf",  # ivory
        "lung": "#8fbbe8",
        "liver": "#a8412f",  # brown-red
        "vessel": "#d1495b",
        "aorta": "#d1302f",
        "vena_cava": "#3466c2",
        "portal_vein": "#5a7fd6",
        "hepatic_veins": "#3f8fd0",
        "lesion": "#f0c541",
    }
)
OTHER_STRUCTURE = "#9aa5b1"

TOOL = "#5b6b7b"
TIP = "#009e73"
LANDMARK = "#e69f00"
LANDMARK_INK = "#8a5f00"  # the same, dark enough to be read on a light ground
TARGET = "#d55e00"
EXPECTED = "#0072b2"
TRUE = "#d55e00"
INK, FAINT_INK, PAPER = "#1f2933", "#7b8794", "#ffffff"
NIGHT, NIGHT_INK = "#0d1117", "#e6edf3"
RESIDUAL_MAP = "viridis"
UNCERTAINTY_MAP = "inferno"


def structure_colour(name: str) -> str:
    """A structure's colour as ``#rrggbb``; unknown ones share a neutral grey-blue."""
    return STRUCTURES.get(name, OTHER_STRUCTURE)

"""Colours of everything in pictures except structures, from Okabe and Ito's palette (safe for colour-blind people).

Structures have their colours in `case.colours`.
"""

from __future__ import annotations

TOOL = "#5b6b7b"
TIP = "#009e73"
LANDMARK = "#e69f00"
LANDMARK_INK = "#8a5f00"  # the landmarks' colour, dark enough for text on a light background
TARGET = "#d55e00"
EXPECTED = "#0072b2"
TRUE = "#d55e00"
INK, FAINT_INK, PAPER = "#1f2933", "#7b8794", "#ffffff"
NIGHT, NIGHT_INK = "#0d1117", "#e6edf3"
RESIDUAL_MAP = "viridis"
UNCERTAINTY_MAP = "inferno"

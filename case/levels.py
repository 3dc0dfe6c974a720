"""What a registration's verdict can be: said once, for the record in the case and for the science."""

from __future__ import annotations

from typing import Literal

Level = Literal["accept", "check", "refuse"]
ACCEPT: Level = "accept"
CHECK: Level = "check"
REFUSE: Level = "refuse"

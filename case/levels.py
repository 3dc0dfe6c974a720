"""The levels of a registration's verdict, shared by the case's records and by registration."""

from __future__ import annotations

from typing import Literal

Level = Literal["accept", "check", "refuse"]
ACCEPT: Level = "accept"
CHECK: Level = "check"
REFUSE: Level = "refuse"

"""Where a case keeps what was planned on it."""

from __future__ import annotations

PLANNED = {"landmarks": "markups/landmarks.mrk.json", "targets": "markups/targets.mrk.json"}

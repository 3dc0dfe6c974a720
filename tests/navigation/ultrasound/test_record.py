"""The record: each result is a whole line, and a folder keeps what it holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from geometry import Transform
from navigation.errors import DeviceError
from navigation.ultrasound.record import FILE, FORMAT, ContourRecord
from tests.navigation.ultrasound.results import MS, SQUARE, result


def test_each_line_says_all_of_a_frame(tmp_path: Path) -> None:
    matrix = np.eye(4)
    matrix[:3, 3] = [1.5, -2.0, 300.0]
    poses = {"T_tracker_probe": Transform(matrix, "tracker", "probe"), "T_tracker_stylus": None}
    with ContourRecord(tmp_path / "run", {"source": "sweep", "model": "m", "live": True}) as record:
        record.add(result(7, 1_000 * MS, poses=poses, source_ns=42, pixel_mm=(0.1, 0.2)))
        written = (tmp_path / "run" / FILE).read_text("utf-8")  # while the file is still open: a crash loses no line
        record.add(result(9, 1_033 * MS, "frozen", "the same picture for 300 ms"))
    head, first = (json.loads(line) for line in written.splitlines())
    assert head["format"] == FORMAT
    assert head["units"].startswith("px")
    assert (first["sequence"], first["source_ns"], first["age_ms"], first["size_px"]) == (7, 42, 10.0, [100, 120])
    assert first["poses"] == {"T_tracker_probe": matrix.tolist(), "T_tracker_stylus": None}
    assert first["contours"][0]["points_px"] == SQUARE.tolist()
    last = json.loads((tmp_path / "run" / FILE).read_text("utf-8").splitlines()[-1])
    assert (last["state"], last["reason"], last["contours"]) == ("frozen", "the same picture for 300 ms", [])


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    with ContourRecord(tmp_path, {}):
        pass
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(DeviceError, match="there already"):
        ContourRecord(tmp_path, {})
    assert (tmp_path / FILE).read_bytes() == before

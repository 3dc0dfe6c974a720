"""``surgnav demo --ultrasound``: scanned live, contours right at the headset, and the registration renewed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.end_to_end.program import surgnav


def test_bone_is_where_the_headset_shows_it_once_the_registration_is_renewed(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    run = surgnav("demo", "--ultrasound", "--out", out, "--json", out / "demo.json", "--stream-s", 12)
    assert run.returncode == 0, run.stderr + run.stdout
    data = json.loads((out / "demo.json").read_text("utf-8"))
    for name, after in data["after"]["tre_mm"].items():
        assert after["true"] < 1.5 * after["expected_p95"]
        assert after["true"] < 0.5 * data["before"]["tre_mm"][name]["true"]
    at_headset = data["live"]["contours_after"]
    assert at_headset["points"] > 1000
    assert at_headset["median_mm"] < 1.5 < data["live"]["contours_before"]["median_mm"]
    assert data["live"]["image_mean_mm"] < 2.0
    assert {path.name for path in out.glob("*.png")} >= {"frames.png"}
    swept = data["live"]["sweep"]
    assert swept["approval"] == ["suggested"]
    first, last = swept["surfaces"][0], swept["surfaces"][-1]
    assert last["bone_covered"] >= first["bone_covered"]
    assert last["bone_covered"] > 0.02, "one surface at least, also on a busy machine"
    assert last["median_mm"] < 1.5
    assert "not a medical device" in run.stdout

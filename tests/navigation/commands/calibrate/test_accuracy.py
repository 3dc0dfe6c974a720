"""``surgnav accuracy --quick`` from recordings: one line, a record a day, a chart of all days."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from calibration.accuracy.f2554 import F2554Streams
from navigation.cli import app
from tests.calibration.accuracy.block_touched import BLOCK, touched
from tests.calibration.accuracy.f2554_touched import measured
from tests.calibration.streams_of import pivoted
from tests.navigation.acquisition.recorded_streams import write_csv


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def simulated_room(folder: Path, seed: int = 1, block: str = "block.json") -> Path:
    path = folder / "or.toml"
    path.write_text(
        f"""rack = "rack"
[devices.camera]
driver = "simulated"
seed = {seed}
block = "{block}"
[tools.reference]
device = "camera"
role = "reference"
[tools.stylus]
device = "camera"
role = "stylus"
"""
    )
    return path


def test_live_in_the_simulated_room_after_a_pivot_in_the_same_room(tmp_path: Path):
    (tmp_path / "block.json").write_text(BLOCK.model_dump_json())
    live = ("--room", simulated_room(tmp_path))
    assert run("calibrate", "pivot", *live)[0] == 0
    code, said = run("accuracy", tmp_path / "block.json", "--quick", *live, "--json", tmp_path / "said.json")
    assert code == 0, said
    record = json.loads((tmp_path / "said.json").read_text())
    assert record["duration_s"] < 55.0
    assert record["n_points"] == len(BLOCK.points_mm)
    assert record["distance_max_mm"] < 0.5  # a sphere is off by 0.25 mm RMS
    stretched = {name: [1.05 * each for each in point] for name, point in BLOCK.points_mm.items()}
    drawn = BLOCK.model_dump(mode="json") | {"points_mm": stretched}
    (tmp_path / "other.json").write_text(json.dumps(drawn))
    code, said = run("accuracy", tmp_path / "other.json", "--quick", *live)
    assert (code, "OUTSIDE" in said) == (2, True), said


def test_the_tests_of_f2554_live_in_the_simulated_room(tmp_path: Path):
    (tmp_path / "block.json").write_text(BLOCK.model_dump_json())
    live = ("--room", simulated_room(tmp_path))
    assert run("calibrate", "pivot", *live)[0] == 0
    code, said = run("accuracy", tmp_path / "block.json", *live, "--json", tmp_path / "said.json")
    assert code == 0, said
    record = json.loads((tmp_path / "said.json").read_text())
    assert record["single"]["n"] >= 20
    assert all(axis["high_deg"] - axis["low_deg"] >= 30.0 for axis in record["rotation"])
    assert record["distances"]["max_mm"] < 0.5  # a sphere is off by 0.25 mm RMS
    assert record["single"]["precision_mm"] < 0.3
    assert (tmp_path / "rack" / "stylus" / "accuracy" / "f2554" / "newest.html").stat().st_size > 50_000


def test_a_simulated_room_names_what_is_wrong_with_its_block(tmp_path: Path):
    (tmp_path / "block.json").write_text("{}")
    code, said = run("room", "check", simulated_room(tmp_path))
    assert code == 1
    assert "[devices.camera] got the block block.json with" in said


def test_days_on_a_block(tmp_path: Path):
    rack, block = ("--rack", tmp_path / "rack"), tmp_path / "block.json"
    block.write_text(BLOCK.model_dump_json())
    assert run("accuracy", block, write_csv(tmp_path / "good.csv", touched()), "--quick", *rack)[0] == 1
    assert run("calibrate", "pivot", write_csv(tmp_path / "a.csv", pivoted(seed=1)), *rack)[0] == 0
    code, said = run("accuracy", block, tmp_path / "good.csv", "--quick", *rack, "--json", tmp_path / "good.json")
    assert code == 0, said
    assert "stylus on cube: within its limit of 1 mm" in said
    assert json.loads((tmp_path / "good.json").read_text())["distance_max_mm"] < 0.3
    code, said = run("accuracy", block, write_csv(tmp_path / "b.csv", touched(scale=1.05)), "--quick", *rack)
    assert code == 2
    assert "OUTSIDE" in said
    assert "2 checks so far" in said
    chart = tmp_path / "rack" / "stylus" / "accuracy" / "days.png"
    with Image.open(chart) as picture:
        assert picture.size == (1200, 600)
    assert len(list(chart.parent.glob("*.json"))) == 2


def test_the_tests_of_f2554_from_three_recordings(tmp_path: Path):
    rack, block = ("--rack", tmp_path / "rack"), tmp_path / "block.json"
    block.write_text(BLOCK.model_dump_json())
    assert run("calibrate", "pivot", write_csv(tmp_path / "a.csv", pivoted(seed=1)), *rack)[0] == 0
    first = recorded(tmp_path / "first", measured())
    code, said = run("accuracy", block, *first, *rack, "--json", tmp_path / "first.json")
    assert code == 0, said
    assert "stylus on cube, by the tests of ASTM F2554: within its limit of 1 mm" in said
    code, said = run("accuracy", block, *recorded(tmp_path / "later", measured(scale=1.02, seed=5)), *rack)
    assert code == 2, said
    assert "OUTSIDE its limit" in said
    record = json.loads((tmp_path / "first.json").read_text())
    assert [axis["axis"] for axis in record["rotation"]] == ["roll", "pitch", "yaw"]
    folder = tmp_path / "rack" / "stylus" / "accuracy" / "f2554"
    assert len(list(folder.glob("20*.json"))) == 2
    page = (folder / "newest.html").read_text()
    # Self-contained: both pictures are in it, and nothing is fetched.
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    assert page.count("<td>outside</td>") == page.count("<td>inside</td>") == 1
    assert f"{record['distances']['max_mm']:.2f}" in page
    code, said = run("accuracy", block, *first[:2], *rack)
    assert (code, "3: distances, single point, rotation" in said) == (1, True)


def recorded(folder: Path, streams: F2554Streams) -> list[Path]:
    folder.mkdir()
    each = {"distances": streams.distances, "single": streams.single, "rotation": streams.rotation}
    return [write_csv(folder / f"{name}.csv", stream) for name, stream in each.items()]

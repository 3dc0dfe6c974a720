"""``surgnav accuracy --quick`` from recordings: one line, a record a day, a chart of all days."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from navigation.cli import app
from tests.calibration.accuracy.block_touched import BLOCK, touched
from tests.calibration.streams_of import pivoted
from tests.navigation.acquisition.recorded_streams import write_csv


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


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

"""``surgnav train``: a TOML to train by, or a network to tune; not both, and not half of one."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from navigation.cli import app
from reconstruction.network.weights import DEFAULT_WEIGHTS


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.toml", "--from", "model.json"],
        ["--from", "model.json"],
        ["--from", "model.json", "--scans", "scans", "--resume"],
        ["a.toml", "--scans", "scans"],
        ["a.toml", "--iterations", "5"],
    ],
)
def test_training_and_tuning_are_not_mixed(arguments: list[str]):
    assert CliRunner().invoke(app, ["train", *arguments]).exit_code == 2


def test_a_folder_without_scans_is_refused(tmp_path: Path):
    result = CliRunner().invoke(app, ["train", "--from", str(DEFAULT_WEIGHTS), "--scans", str(tmp_path)])
    assert result.exit_code == 1
    assert "without labelled scans" in result.output

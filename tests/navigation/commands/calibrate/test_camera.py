"""``surgnav calibrate camera``: a folder of pictures becomes a lens in the rack; what cannot be used is said."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.camera.camera_file import read_camera
from calibration.rack import in_force, results
from navigation.acquisition.board_pictures import NamedPicture
from navigation.acquisition.boarding import BoardCollecting
from navigation.cli import app
from tests.calibration.camera.drawn_pictures import CHARUCO, FOCAL_PX, picture

BOARD = ("--board", "7x5", "--square-mm", "20")
# Turned about the axes of the camera, and where the middle of the board is.
HELD = [
    ((35.0, 0.0, 0.0), (-25.0, -15.0, 240.0)),
    ((-35.0, 10.0, 5.0), (25.0, 20.0, 230.0)),
    ((0.0, 35.0, 10.0), (25.0, -20.0, 250.0)),
    ((0.0, -35.0, -10.0), (-25.0, 15.0, 220.0)),
    ((20.0, 25.0, 80.0), (0.0, 0.0, 260.0)),
    ((-25.0, -20.0, 20.0), (5.0, 5.0, 210.0)),
]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["calibrate", "camera", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def write(folder: Path, pictures: list[np.ndarray]) -> Path:
    folder.mkdir()
    for number, grey in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), grey)
    return folder


def test_a_folder_of_pictures_becomes_a_lens(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures", [picture(CHARUCO, *held) for held in HELD])
    (folder / "6.png").write_bytes(b"cut short")
    file = tmp_path / "webcam.json"
    code, said = run(folder, *BOARD, "--name", "webcam", "--rack", tmp_path / "rack", "--camera-file", file)
    assert code == 0, said
    assert "6.png: no picture that can be read" in said
    assert "nothing here shows whether the squares have their stated size" in said
    kept = in_force(tmp_path / "rack", "webcam", "camera")
    camera = read_camera(file)
    assert camera.fx_px == kept.numbers["fx_px"] == pytest.approx(FOCAL_PX, abs=4.0 * kept.numbers["fx_sd_px"])
    assert kept.inputs[0].name == "pictures"


def test_a_mirrored_board_is_refused_and_kept_as_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures", [np.ascontiguousarray(picture(CHARUCO, *HELD[0])[:, ::-1])] * 3)
    code, said = run(folder, *BOARD, "--rack", tmp_path / "rack")
    assert code == 2
    assert "3 of 3 pictures: the board is mirrored" in said
    ((_, kept),) = results(tmp_path / "rack")
    assert kept.verdict == "refused"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", *BOARD), "nowhere, which cannot be opened"),
        ((".", "--board", "7", "--square-mm", "20"), "squares across and down"),
        ((".", *BOARD, "--dictionary", "4x4"), "4x4_50"),
        ((".", *BOARD, "--ruler-mm", "9.8"), "a printed ruler of 9.8 mm"),
        ((".", ".", ".", *BOARD), "3 sources"),
    ],
)
def test_what_cannot_begin_is_said(arguments: tuple[str, ...], said: str) -> None:
    code, output = run(*arguments)
    assert code == 1
    assert said in output


def test_live_pictures_are_kept_when_they_are_still_and_new() -> None:
    collecting = BoardCollecting(CHARUCO, 1, every_picture=False)

    def show(number: int, held: tuple) -> str:
        collecting.add((NamedPicture(f"frame {number}", picture(CHARUCO, *held)),))
        return collecting.why

    assert "hold the board before the camera" in collecting.advice().next_step
    assert show(0, HELD[0]) == "hold the board still"
    assert show(1, HELD[0]) == ""
    assert show(2, HELD[0]) == "this place and tilt were seen already"
    assert show(3, HELD[1]) == "hold the board still"
    assert show(4, HELD[1]) == ""
    assert [view.name for view in collecting.views(0)] == ["frame 1", "frame 4"]
    before = collecting.advice()
    assert "2 views kept" in before.doubt
    assert "of the picture" in before.next_step
    assert 0.0 < before.coverage < 1.0
    collecting.undo()
    assert len(collecting.pairs) == 1
    assert not collecting.is_enough


def test_pictures_of_two_cameras_are_taken_in_step(tmp_path: Path) -> None:
    greys = [picture(CHARUCO, *held) for held in HELD[:2]]
    first, second = write(tmp_path / "first", greys), write(tmp_path / "second", greys[:1])
    code, said = run(first, second, *BOARD)
    assert code == 1
    assert "2 and 1 pictures in the two folders" in said

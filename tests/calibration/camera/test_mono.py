"""One camera: the true lens is found, errors are as large as stated, and what cannot be known is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.camera.choosing import choose, covered
from calibration.camera.errors import BoardViewError, CameraRefusedError
from calibration.camera.lens import NAMES, project
from calibration.camera.mono import MonoCalibration, calibrate_camera
from calibration.camera.results import mono_result
from calibration.camera.views import BoardView, board_view
from calibration.result import read_result
from tests.calibration.camera.drawn_views import FLAT, LENS, SIZE, bent, drawn_views, heavy, independent, together

NOW = "2026-11-27T02:00:00+00:00"


def lens_of(found: MonoCalibration) -> np.ndarray:
    camera = found.camera
    return np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion])


def no_error(_: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    return np.zeros_like(pixels)


def test_without_errors_the_lens_is_exact() -> None:
    found = calibrate_camera(drawn_views(np.random.default_rng(1), 10, no_error), NOW)
    assert np.allclose(lens_of(found), LENS, rtol=1e-5, atol=1e-5)
    assert found.rms_px < 1e-4
    assert not found.reasons
    assert not found.left_out


def test_the_derivatives_of_the_lens_are_those_of_what_it_does() -> None:
    random = np.random.default_rng(2)
    lens = np.array([600.0, 590.0, 320.0, 240.0, -0.2, 0.1, 0.003, -0.002, 0.05])
    points = random.uniform([-200.0, -150.0, 300.0], [200.0, 150.0, 600.0], (20, 3))
    _, by_point, by_lens = project(lens, points)
    for number in range(3):
        step = np.eye(3)[number] * 1e-3
        change = (project(lens, points + step)[0] - project(lens, points - step)[0]) / 2e-3
        assert np.allclose(by_point[:, :, number], change, rtol=1e-6, atol=1e-7)
    for number in range(9):
        step = np.eye(9)[number] * 1e-4
        change = (project(lens + step, points)[0] - project(lens - step, points)[0]) / 2e-4
        assert np.allclose(by_lens[:, :, number], change, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("errors", [independent, together, heavy])
def test_the_lens_lies_where_it_is_said_to(errors) -> None:
    # Of twelve normal numbers one lies beyond 4 in a thousand tests.
    random = np.random.default_rng(3)
    off = []
    for _ in range(3):
        found = calibrate_camera(drawn_views(random, 12, errors), NOW)
        assert not found.reasons
        assert len(found.T_camera_board) >= 10
        off.append((lens_of(found) - LENS)[:4] / np.sqrt(np.diag(found.covariance))[:4])
    assert np.abs(off).max() < 4.0
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(1.0, abs=0.5)  # of 12 numbers, some of them alike


def test_errors_that_go_together_are_not_counted_as_independent() -> None:
    random = np.random.default_rng(4)
    assert calibrate_camera(drawn_views(random, 12, together), NOW).correlation > 2.5
    assert calibrate_camera(drawn_views(random, 12, independent), NOW).correlation < 1.5


def test_a_bent_board_is_noticed_and_reckoned_with() -> None:
    views = drawn_views(np.random.default_rng(5), 15, printed=bent(FLAT, 1.5))
    found = calibrate_camera(views, NOW)
    # The sheet sags by 1.5 mm at half its diagonal along its own direction; its cubic part is not in the model.
    assert found.sag_mm == pytest.approx(1.5, abs=0.3)
    off = (lens_of(found) - LENS)[:4] / np.sqrt(np.diag(found.covariance))[:4]
    assert np.abs(off).max() < 4.0
    assert "the board is bent by 1." in " ".join(mono_result(found, "webcam", ()).coverage)


def moved(view: BoardView, by_px: np.ndarray) -> BoardView:
    return board_view(view.name, SIZE, view.corners, view.board_mm, np.clip(view.pixels + by_px, 0.0, 639.0))


def test_views_and_corners_that_do_not_fit_are_named() -> None:
    random = np.random.default_rng(6)
    views = drawn_views(random, 15)
    for number in (3, 11):  # a sheet that came loose, a row of squares counted twice
        wild = 3.0 * np.sin(views[number].board_mm[:, :2] / 30.0 + number)
        views[number] = moved(views[number], wild)
    one = np.zeros((len(views[7]), 2))
    one[5] = [9.0, -6.0]
    views[7] = moved(views[7], one)
    found = calibrate_camera(views, NOW)
    assert [each.name for each in found.left_out] == ["view 3", "view 11"]
    assert "does not fit the others" in found.left_out[0].reason
    assert found.n_corners_left_out == 1
    assert "view 7" in found.T_camera_board
    assert np.abs((lens_of(found) - LENS)[:2]).max() < 4.0 * found.deviations["fx_px"]


def test_held_out_errors_are_those_of_calibrations_without_the_view() -> None:
    views = drawn_views(np.random.default_rng(7), 12)
    found = calibrate_camera(views, NOW)
    # With 12 views of 54 corners, 9 numbers of a lens and 6 of each pose, views that were seen fit a little better.
    assert found.rms_px < found.held_out_px[found.model] < 1.2 * found.rms_px
    assert found.held_out_px["no distortion"] > 2.0 * found.held_out_px[found.model]


def test_boards_that_face_the_camera_leave_the_focal_length_open() -> None:
    found = calibrate_camera(drawn_views(np.random.default_rng(8), 8, most_tilt_deg=2.0), NOW)
    assert any("Tilt the board by 30 degrees" in reason for reason in found.reasons)
    assert "0 of 8 views are tilted" in " ".join(found.reasons)
    assert mono_result(found, "webcam", ()).verdict == "refused"


def test_pictures_of_two_sizes_are_refused() -> None:
    views = drawn_views(np.random.default_rng(9), 6)
    views[2] = replace(views[2], width_px=1280, height_px=960)
    with pytest.raises(CameraRefusedError, match="640 x 480 and 1280 x 960"):
        calibrate_camera(views, NOW)


def test_blurred_pictures_are_left_out_and_too_few_are_refused() -> None:
    views = [replace(view, blur_px=3.0) for view in drawn_views(np.random.default_rng(10), 8)]
    views[4] = replace(views[4], blur_px=12.0)
    found = calibrate_camera(views, NOW)
    assert [(each.name, each.reason.split(":")[0]) for each in found.left_out] == [("view 4", "blurred")]
    with pytest.raises(CameraRefusedError, match="2 views of the board"):
        calibrate_camera(views[:2], NOW)
    assert any("5 are needed" in reason for reason in calibrate_camera(views[:4], NOW).reasons)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda board, pixels: (board * [1.0, -1.0, 1.0], pixels), "mirrored"),
        (lambda board, pixels: (board, [639.0, 0.0] + pixels * [-1.0, 1.0]), "mirrored"),
        (lambda board, pixels: (board, pixels[:, ::-1] * 0.7), "mirrored"),
        (lambda board, pixels: (board / 1000.0, pixels), "not metres"),
        (lambda board, pixels: (board, pixels / SIZE), "not shares of the picture"),
        (lambda board, pixels: (board, pixels * 2.0), "of the stated size"),
        (lambda board, pixels: (board, np.where(pixels == pixels.max(), np.nan, pixels)), "NaN"),
    ],
    ids=["y down", "mirrored picture", "row and column", "metres", "shares", "another size", "not finite"],
)
def test_numbers_that_are_no_view_are_refused(change, said: str) -> None:
    view = drawn_views(np.random.default_rng(11), 1)[0]
    board, pixels = change(np.array(view.board_mm), np.array(view.pixels))
    with pytest.raises(BoardViewError, match=said):
        board_view("a", SIZE, view.corners, board, pixels)


def test_the_result_can_be_kept(tmp_path) -> None:
    found = calibrate_camera(drawn_views(np.random.default_rng(12), 8), NOW)
    result = mono_result(found, "webcam", ())
    path = tmp_path / "result.json"
    path.write_text(result.to_json(), "utf-8")
    assert read_result(path) == result
    assert result.numbers["fx_px"] == found.camera.fx_px
    assert set(NAMES) <= result.numbers.keys()
    assert result.expected_error is not None
    assert result.expected_error.value == pytest.approx(found.expected_rms_px)


def test_of_many_views_those_are_chosen_that_differ_most() -> None:
    random = np.random.default_rng(13)
    views = drawn_views(random, 12)
    again = [replace(view, name=f"{view.name} again") for view in views[:6] for _ in range(3)]
    chosen = choose([*views, *again], 12)
    assert {view.name for view in chosen} == {view.name for view in views}
    assert covered(chosen).share > covered(again[:12]).share
    assert "hold the board" in covered(views[:1]).next_step


def test_bards_corners_that_jumped_to_their_neighbours_are_left_out(shared_data: Path) -> None:
    folder = shared_data / "tracking" / "bard" / "calibration" / "matts_mbp_640_x_480"
    views = []
    for number in range(12):
        ids, board, pixels = (
            np.loadtxt(folder / f"calib.{what}.{number}.txt") for what in ("ids", "object_points", "image_points")
        )
        views.append(board_view(f"view {number}", SIZE, ids, board * [1.0, -1.0, 1.0], pixels))
    found = calibrate_camera(views, NOW)
    # OpenCV's lens from all of them, which is stored with them, leaves 1.4 px.
    assert [each.name for each in found.left_out] == ["view 10", "view 11"]
    assert found.rms_px < 0.3

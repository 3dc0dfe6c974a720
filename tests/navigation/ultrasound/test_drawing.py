"""Pictures of frames: a contour where it belongs while it may be shown, and nothing of it otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.ultrasound.drawing import WIDTH, Caption, draw, picture_height
from navigation.ultrasound.shown import Display
from tests.navigation.ultrasound.results import MS, pixels, result

CAPTION = Caption("sweep.mha", "nerve_vessel by openvino")


def picture_at(age_ms: int, **more: object) -> np.ndarray:
    display = Display(30.0)
    display.take(result(0, 1_000 * MS, **more))  # type: ignore[arg-type]
    return draw(display.at((1_000 + age_ms) * MS), CAPTION, picture_height((100, 120)))


def coloured(picture: np.ndarray) -> np.ndarray:
    """Where a picture's colours differ, above the text below the frame: only contours and their names have colour."""
    frame = picture[: round(100 * WIDTH / 120)].astype(int)
    return np.asarray(np.ptp(frame, axis=2) > 40)


def test_a_contour_lies_where_its_structure_is() -> None:
    rows, columns = np.nonzero(coloured(picture_at(20)))
    scale = WIDTH / 120
    assert columns.min() == pytest.approx((20 + 0.5) * scale, abs=3)
    assert columns.max() == pytest.approx((60 + 0.5) * scale, abs=3)
    assert rows.max() == pytest.approx((50 + 0.5) * scale, abs=3)


@pytest.mark.parametrize("age_ms", [150, 5_000])
def test_what_is_old_has_no_contour_and_is_dimmed(age_ms: int) -> None:
    picture = picture_at(age_ms)
    assert not coloured(picture).any()
    assert picture[200, 20, 0] == 30


def test_what_is_not_usable_has_no_contour_whatever_the_result_holds() -> None:
    from tests.navigation.ultrasound.results import vessel

    assert not coloured(picture_at(20, state="frozen", reason="same picture", contours=(vessel(),))).any()


def test_without_a_frame_or_an_image_the_state_is_still_written() -> None:
    empty = draw(Display(30.0).at(0), CAPTION, picture_height(None))
    assert empty.shape == (picture_height(None), WIDTH, 3)
    assert empty.any()
    assert picture_at(20, pixels=None, state="no image", reason="status INVALID").any()


@pytest.mark.parametrize("size", [(1, 1), (3, 4_000), (4_000, 3), (761, 632)])
def test_frames_of_any_size_fit_the_picture(size: tuple[int, int]) -> None:
    assert picture_at(20, pixels=pixels(size=size)).shape == (picture_height((100, 120)), WIDTH, 3)
    assert picture_height(size) % 2 == 0

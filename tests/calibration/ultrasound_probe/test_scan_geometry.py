"""Which part of an image the beams fill: by hand, there and back, and as a result keeps it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.ultrasound_probe.errors import ProbeInputError
from calibration.ultrasound_probe.scan_geometry import ScanGeometry

LINEAR = ScanGeometry.linear((201, 151), (0.2, 0.25), width_mm=38.0, depth_mm=35.0)
CONVEX = ScanGeometry.convex((301, 251), (0.3, 0.3), radius_mm=40.0, half_angle_rad=0.5, depth_mm=60.0)


def test_a_linear_probe_by_hand():
    # The face's middle is pixel (100, 0); its last beam 19 mm to the right: 95 px.
    assert LINEAR.points_px(np.array(1.0), np.array(10.0)) == pytest.approx([195.0, 40.0])
    assert LINEAR.mask[:140, 6:195].all()
    assert not LINEAR.mask[:, :5].any()
    assert not LINEAR.mask[:, 196:].any()
    assert not LINEAR.mask[142:].any()


def test_a_convex_probe_by_hand():
    # Apex 40 mm above the face's middle, which lies 40 (1 - cos 0.5) mm below the first row.
    x_px, y_px = CONVEX.face_px
    assert (x_px, y_px) == pytest.approx((150.0, 40.0 * (1 - np.cos(0.5)) / 0.3))
    right = CONVEX.points_px(np.array(1.0), np.array(0.0))
    assert right == pytest.approx([150.0 + 40.0 * np.sin(0.5) / 0.3, 0.0])
    assert CONVEX.contains(np.array([x_px, y_px + 100.0]))
    assert not CONVEX.contains(np.array([x_px, y_px - 1.0]))
    assert not CONVEX.contains(np.array([5.0, 5.0]))
    # A ring's sector of 100 and 40 mm, within the image's 251 rows.
    area_mm2 = 0.5 * (100.0**2 - 40.0**2)
    wide = ScanGeometry.convex((401, 301), (0.3, 0.3), 40.0, 0.5, 60.0)
    assert wide.mask.sum() * 0.09 == pytest.approx(area_mm2, rel=0.01)


@given(st.sampled_from([LINEAR, CONVEX]), st.floats(-1.5, 1.5), st.floats(-5.0, 80.0))
def test_there_and_back(geometry, across, deep_mm):
    point = geometry.points_px(np.array(across), np.array(deep_mm))
    assert np.stack(geometry.beams(point)) == pytest.approx([across, deep_mm], abs=1e-9)


@pytest.mark.parametrize("geometry", [LINEAR, CONVEX])
def test_a_result_keeps_it(geometry):
    (width, height), (x_mm, y_mm) = geometry.size_px, geometry.pixel_mm
    image = {"image_width_px": float(width), "image_height_px": float(height)}
    kept = ScanGeometry.of_numbers(image | {"spacing_x_mm": x_mm, "spacing_y_mm": y_mm} | geometry.numbers())
    assert kept is not None
    assert kept.points_px(np.array(0.7), np.array(20.0)) == pytest.approx(
        geometry.points_px(np.array(0.7), np.array(20.0))
    )
    assert (kept.mask == geometry.mask).all()
    assert ScanGeometry.of_numbers(image) is None


@pytest.mark.parametrize(
    ("width_mm", "radius_mm", "angle_rad"), [(0.0, 0.0, 0.0), (10.0, 40.0, 0.5), (0.0, 40.0, 0.0), (0.0, 40.0, 1.6)]
)
def test_neither_and_both_are_refused(width_mm, radius_mm, angle_rad):
    with pytest.raises(ProbeInputError, match="linear face"):
        ScanGeometry((10, 10), (0.1, 0.1), (4.5, 0.0), 10.0, width_mm, radius_mm, angle_rad)

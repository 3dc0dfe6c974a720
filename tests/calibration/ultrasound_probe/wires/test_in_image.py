"""Our own segmentation: wires found between speckle and a bottom, named by their pattern, beside PLUS's own points."""

import numpy as np
import pytest

from calibration.ultrasound_probe.errors import ProbeInputError
from calibration.ultrasound_probe.wires.in_image import WireSettings, find_wires, name_wires
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from tests.calibration.ultrasound_probe.wires.sweeps import SIZE_PX, Noise, fcal_phantom, sweep

LOOKS = WireSettings(spacing_mm=0.078)


def drawn(points_px, rng, missing=()):
    """An image of wires, with speckle and a bright bottom below them."""
    rows, columns = np.mgrid[: SIZE_PX[1], : SIZE_PX[0]]
    image = rng.gamma(1.0, 4.0, rows.shape)
    for k, (x, y) in enumerate(points_px):
        if k not in missing:
            near = np.s_[max(0, int(y) - 25) : int(y) + 26, max(0, int(x) - 35) : int(x) + 36]
            off = ((columns[near] - x) / 9.0) ** 2 + ((rows[near] - y) / 4.0) ** 2
            image[near] += 220.0 * np.exp(-0.5 * off)
    image += 200.0 * np.exp(-0.5 * ((rows - 560.0 - 0.05 * columns) / 4.0) ** 2)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("mirrored", [False, True])
def test_wires_are_found_and_named(mirrored):
    rng = np.random.default_rng(11)
    sample = sweep(rng, 5, Noise(tilt_deg=6.0))[0][3]
    seen_px = sample.points_px.copy()
    if mirrored:
        seen_px[:, 0] = SIZE_PX[0] - 1 - seen_px[:, 0]
    found = find_wires(drawn(seen_px, rng), fcal_phantom(), LOOKS)
    assert found is not None
    assert found.names == sample.names
    np.testing.assert_allclose(found.points_px, seen_px, atol=0.5)
    plain = find_wires(drawn(sample.points_px, rng), fcal_phantom(), LOOKS)
    assert plain is not None
    assert (plain.mirrored == found.mirrored) != mirrored


def test_an_n_with_a_wire_out_of_sight_is_left_out():
    rng = np.random.default_rng(12)
    sample = sweep(rng, 5)[0][0]
    found = find_wires(drawn(sample.points_px, rng, missing=(4,)), fcal_phantom(), LOOKS)
    assert found is not None
    assert found.names == (*sample.names[:3], *sample.names[6:])
    assert find_wires(drawn(sample.points_px, rng, missing=(1, 4)), fcal_phantom(), LOOKS) is None
    assert find_wires(np.zeros((616, 820), np.uint8), fcal_phantom(), LOOKS) is None


def test_spots_that_are_no_wires_change_no_name():
    rng = np.random.default_rng(13)
    for sample in sweep(rng, 30, Noise(pixel_px=2.0))[0]:
        false_px = rng.uniform((0.0, 0.0), SIZE_PX, (8, 2))
        spots_px = rng.permutation(np.vstack([sample.points_px, false_px]))
        found = name_wires(spots_px, fcal_phantom(), LOOKS)
        assert found is not None
        right = [sample.names[k] for k in np.linalg.norm(sample.points_px - found.points_px[:, None], axis=2).argmin(1)]
        sides = [k for k, name in enumerate(found.names) if int(name) % 3 != 2]  # a false spot may lie on a line
        assert [found.names[k] for k in sides] == [right[k] for k in sides]


def test_a_phantom_of_one_n_is_refused():
    whole = fcal_phantom()
    lone = NWirePhantom(whole.names[:3], whole.starts_mm[:3], whole.directions[:3], whole.lengths_mm[:3])
    with pytest.raises(ProbeInputError, match="two or more Ns"):
        name_wires(np.zeros((9, 2)), lone, LOOKS)

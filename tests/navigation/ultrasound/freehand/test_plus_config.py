"""PLUS's own configuration files, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from navigation.errors import DeviceError
from navigation.ultrasound.freehand.plus_config import read_image_to_probe

NUMBERS = "0.1 0 0 -5  0 0.2 0 7  0 0 0.15 1  0 0 0 1"
TRANSFORM = f'<Transform From="Image" To="Probe" Matrix="{NUMBERS}" />'


def config(folder: Path, inside: str) -> Path:
    path = folder / "config.xml"
    path.write_text(f"<PlusConfiguration><CoordinateDefinitions>{inside}</CoordinateDefinitions></PlusConfiguration>")
    return path


def test_the_matrix_is_read(tmp_path):
    matrix = read_image_to_probe(config(tmp_path, TRANSFORM + '<Transform From="Phantom" To="Reference" Matrix="" />'))
    np.testing.assert_array_equal(matrix, np.array(NUMBERS.split(), float).reshape(4, 4))


def test_plus_own_file(shared_data):
    folder = shared_data / "tracking" / "pluslib" / "ConfigFiles_Testing"
    matrix = read_image_to_probe(folder / "PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml")
    np.testing.assert_allclose(matrix[:3, 3], [15.3978, 49.5705, -8.63446])


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("", "0 transforms"),
        (TRANSFORM * 2, "2 transforms"),
        (TRANSFORM.replace("-5", "nan"), "the matrix"),
        (TRANSFORM.replace("-5", "left"), "the matrix"),
        (TRANSFORM.replace("0 0 0 1", "0 0 1 1"), "the matrix"),
        (TRANSFORM.replace("-5", ""), "the matrix"),
        ("<", "no XML"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, inside, said):
    with pytest.raises(DeviceError, match=said):
        read_image_to_probe(config(tmp_path, inside))

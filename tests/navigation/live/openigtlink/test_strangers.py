"""Programs of others read the server: the C++ library's own examples, unchanged, and pyigtl."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyigtl
import pytest

from geometry.orientation import flip_affine_ras_lps, flip_ras_lps
from scripts.strangers.openigtlink import TEST_IMAGES, ExamplesError, ensure_examples
from tests.conftest import IN_CI
from tests.navigation.live.openigtlink.harness import LANDMARKS, MATRICES, SCAN, WEDGE, running, scene

FLOAT32 = 2.0**-24  # half a unit in the last place, relative: what every kind here has on the wire
NUMBER = r"(-?[\d.]+(?:e[-+]\d+)?)"
MATRIX = r"=+\n" + r"\n".join([", ".join([NUMBER] * 4)] * 4)


@pytest.fixture(scope="module")
def examples() -> dict[str, Path]:
    """The compiled examples; without the library the tests are skipped, but in CI they fail."""
    try:
        return ensure_examples()
    except ExamplesError as error:
        pytest.fail(str(error)) if IN_CI else pytest.skip(str(error))


@contextmanager
def reading(program: Path, *arguments: str) -> Iterator[Callable[..., list[tuple[str, ...]]]]:
    """Runs an example, and gives a function that reads on until what it said matches."""
    ran = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""

    def await_match(pattern: str, times: int = 1) -> list[tuple[str, ...]]:
        nonlocal said
        while len(found := re.findall(pattern, said)) < times:
            line = ran.stdout.readline()
            assert line, f"{program.name} ended, after:\n{said[-2000:]}"
            said += line
        return found

    try:
        yield await_match
    finally:
        ran.kill()
        ran.wait()
        ran.stdout.close()


def matrix(numbers: tuple[str, ...]) -> np.ndarray:
    return np.array(numbers, dtype=np.float64).reshape(4, 4)


def equals(found: object, truth: object) -> None:
    np.testing.assert_allclose(np.asarray(found, dtype=np.float64), truth, rtol=FLOAT32, atol=1e-9)


def test_the_receiver_has_every_kind_that_it_knows(examples: dict[str, Path]):
    with running(scene()) as server, reading(examples["ReceiveClient"], "127.0.0.1", str(server.port)) as said:
        found = said(r"TRANSFORM data type\.\n" + r"[\s\S]*?TRANSFORM data type\.\n".join([MATRIX] * 3))[0]
        for name, start in (("ReferenceToTracker", 0), ("StylusTipToReference", 16), ("ReferenceToRas", 32)):
            equals(matrix(found[start : start + 16]), MATRICES[name])
        position = rf"Position  : \( {NUMBER}, {NUMBER}, {NUMBER} \)"
        for label, truth in LANDMARKS.items():
            (point,) = said(rf"Name      : {label}\n(?:.*\n){{2}} {position}")
            # It prints nine decimals of these, so that the last digits of a float32 are cut.
            np.testing.assert_allclose(np.array(point, dtype=float), flip_ras_lps(truth), rtol=FLOAT32, atol=5e-10)
        said(r"Device Name           : CT\nScalar Type           : 4\nDimensions            : \(5, 4, 3\)\n")
        (spacing,) = said(rf"Spacing               : \({NUMBER}, {NUMBER}, {NUMBER}\)")
        np.testing.assert_allclose(np.array(spacing, dtype=float), SCAN.spacing_mm, rtol=2 * FLOAT32)
        assert said(r"Code      : (\d+)")[0] == "1"
        assert said(r"Receiving : (POLYDATA)")


@pytest.mark.parametrize(
    ("program", "kind"), [("TrackingDataClient", "TDATA"), ("QuaternionTrackingDataClient", "QTDATA")]
)
def test_a_tracking_client_asks_and_is_sent_poses(examples: dict[str, Path], program: str, kind: str):
    with running([]) as server, reading(examples[program], "127.0.0.1", str(server.port), "100") as said:
        for name in MATRICES:
            shown = {"StylusTipToReference": "StylusTipToRef"}.get(name, name)
            if kind == "TDATA":
                found = said(rf"Name       : {shown}\n.*\n.*\n" + MATRIX)[0]
                equals(matrix(found), MATRICES[name])
                continue
            numbers = [", ".join([NUMBER] * count) for count in (3, 4)]
            found = np.array(
                said(rf"Name       : {shown}\n.*\n Position   : {numbers[0]}\n Quaternion : {numbers[1]}")[0], float
            )
            equals(found[:3], MATRICES[name][:3, 3])
            x, y, z, w = found[3:]
            third = [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)]
            np.testing.assert_allclose(third, MATRICES[name][:3, 2], rtol=0, atol=8 * FLOAT32)


def test_a_polydata_client_is_answered(examples: dict[str, Path]):
    """It takes nothing but POLYDATA, and asks under its own name."""
    wedge, *_ = scene()
    program, corner = examples["PolyDataClient"], ", ".join([NUMBER] * 3)
    with running([wedge], with_poses=False) as server, reading(program, "127.0.0.1", str(server.port)) as said:
        for number, truth in enumerate(flip_ras_lps(WEDGE.vertices_mm)):
            equals(np.array(said(rf"point\[{number}\] = \({corner}\)")[0], float), truth)
        for number, cell in enumerate(WEDGE.triangles):
            assert said(rf"Polygons -+[\s\S]*?cell\[{number}\] = \((.*)\)")[0].endswith(", ".join(map(str, cell)))
        said(r"(Receiving) POLYDATA data type\.", times=2)


def test_a_client_that_sends_images_of_its_own_disturbs_nobody(examples: dict[str, Path]):
    arguments = ("127.0.0.1", "{}", "100", str(TEST_IMAGES))
    with running(scene()) as server:
        arguments = [each.format(server.port) for each in arguments]
        with (
            reading(examples["ImagerClient"], *arguments) as imager,
            reading(examples["ReceiveClient"], "127.0.0.1", str(server.port)) as receiver,
        ):
            imager("(Reading) ", times=4)
            receiver("(TRANSFORM) data type", times=9)
            assert server.counts.cut_off == 0


def test_pyigtl_has_every_kind_that_it_can_read():
    """Its POLYDATA cannot be: version 0.3.4 indexes a struct, and connects anew."""
    _, landmarks, scan = scene()
    with running([landmarks, scan]) as server:
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", server.port)
        try:
            for name, truth in MATRICES.items():
                equals(client.wait_for_message(name, timeout=200).matrix, truth)
            points = client.wait_for_message("Landmarks", timeout=200)
            assert points.names == list(LANDMARKS)
            equals(points.positions, flip_ras_lps(list(LANDMARKS.values())))
            image = client.wait_for_message("CT", timeout=200)
        finally:
            client.stop()
    assert image.world_coordinate_system == "ras"
    np.testing.assert_array_equal(image.image, SCAN.voxels)
    # Float32 of the image's middle: 1e-5 mm at 130 mm.
    np.testing.assert_allclose(image.ijk_to_world_matrix, flip_affine_ras_lps(SCAN.affine), rtol=1e-7, atol=1e-5)

"""Folders of images: order, grey values, times, and what is refused in words."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from navigation.devices.ultrasound.grey import mean_of_colours
from navigation.devices.ultrasound.image_folder import ImageFolder
from navigation.errors import DeviceError
from reconstruction.training.images.files import read_pixels, to_grey
from tests.navigation.devices.ultrasound.recordings import check_recording

NOISE = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def write(path: Path, pixels: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


@given(arrays(np.uint8, (3, 5, 3)))
def test_grey_is_what_the_networks_were_trained_on(pixels: np.ndarray):
    np.testing.assert_array_equal(mean_of_colours(pixels), np.rint(to_grey(pixels)).astype(np.uint8))


def test_images_come_in_the_natural_order_of_their_names(tmp_path: Path):
    names = ["img1.png", "img2.PNG", "img10.bmp", "IMG11.tif", "img011.png", "img100.jpg"]
    for value, name in enumerate(names):
        write(tmp_path / name, np.full((20, 30), 10 * value, np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"no image")
    folder = ImageFolder(tmp_path)
    check_recording(folder)
    assert sorted(int(folder.frame(index).pixels[0, 0]) for index in range(6)) == [0, 10, 20, 30, 40, 50]
    values = [int(folder.frame(index).pixels[0, 0]) for index in range(6)]
    assert values[:3] == [0, 10, 20]
    assert values[5] == 50
    assert folder.name == str(tmp_path)


def test_without_a_rate_they_are_stills_and_with_one_they_have_times(tmp_path: Path):
    for index in range(4):
        write(tmp_path / f"{index}.png", NOISE)
    stills = ImageFolder(tmp_path)
    assert stills.times_ns is None
    assert stills.frame(3).capture_ns is None
    assert stills.frame(3).pixel_mm is None
    timed = ImageFolder(tmp_path, rate_hz=30.0)
    check_recording(timed)
    assert timed.times_ns == (0, 33_333_333, 66_666_667, 100_000_000)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_colours_become_their_mean(tmp_path: Path, suffix: str, channels: int):
    pixels = NOISE[..., 0] if not channels else np.dstack([NOISE, NOISE[..., 0]])[..., :channels]
    write(tmp_path / f"a{suffix}", pixels)
    grey = ImageFolder(tmp_path).frame(0).pixels
    np.testing.assert_array_equal(grey, NOISE[..., 0] if not channels else mean_of_colours(NOISE))


def test_palettes_and_one_bit_images_are_looked_up(tmp_path: Path):
    image = Image.fromarray(NOISE).quantize(16)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        ImageFolder(tmp_path).frame(0).pixels, mean_of_colours(np.asarray(image.convert("RGB")))
    )
    Image.fromarray(NOISE[..., 0] > 100).save(tmp_path / "b.png")
    np.testing.assert_array_equal(ImageFolder(tmp_path).frame(1).pixels, 255 * (NOISE[..., 0] > 100))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_a_damaged_image_is_missing_with_a_reason_and_prints_nothing(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture
):
    path = write(tmp_path / name, NOISE)
    write(tmp_path / "b.png", NOISE)
    whole = path.read_bytes()
    for damaged in (b"", whole[:10], whole[: len(whole) // 2], whole[:-30], bytes(len(whole))):
        path.write_bytes(damaged)
        folder = ImageFolder(tmp_path)
        frame = folder.frame(0)
        assert frame.pixels is None
        assert frame.missing.startswith(f"{name}, which cannot be read")
        assert folder.frame(1).pixels is not None
    assert capfd.readouterr() == ("", "")


@given(st.data())
def test_no_damage_gives_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "TIFF"]))
    stream = io.BytesIO()
    Image.fromarray(NOISE[:8, :8]).save(stream, kind)
    damaged = bytearray(stream.getvalue())
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=6)):
        damaged[at] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / f"a.{kind.lower()}").write_bytes(bytes(damaged))
    try:
        frame = ImageFolder(folder).frame(0)
    except DeviceError:
        return
    assert (frame.pixels is None) == bool(frame.missing)


def test_an_image_that_goes_away_is_missing(tmp_path: Path):
    path = write(tmp_path / "a.png", NOISE)
    folder = ImageFolder(tmp_path)
    path.unlink()
    assert "a.png, which cannot be read" in folder.frame(0).missing


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("colour", [False, True])
def test_sixteen_bits_are_refused_and_never_scaled(tmp_path: Path, suffix: str, colour: bool):
    deep = NOISE.astype(np.uint16) * 257
    write(tmp_path / f"a{suffix}", deep if colour else deep[..., 0])
    with pytest.raises(DeviceError, match=r"not of 8 bits .* no scale is guessed"):
        ImageFolder(tmp_path)
    write(tmp_path / "0.png", NOISE)
    folder = ImageFolder(tmp_path)
    assert folder.frame(0).pixels is not None
    assert "not of 8 bits" in folder.frame(1).missing


def test_a_tiff_of_several_pages_is_missing(tmp_path: Path):
    pages = [Image.fromarray(NOISE), Image.fromarray(NOISE)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert ImageFolder(tmp_path).frame(0).missing == "a.tif, which holds 2 images: one a file is read"


def test_what_is_no_folder_of_images_is_refused(tmp_path: Path):
    with pytest.raises(DeviceError, match="not there"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(DeviceError, match="no file in it"):
        ImageFolder(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(DeviceError, match=r"1 files, none of them an image \(\.txt\)"):
        ImageFolder(tmp_path)
    with pytest.raises(DeviceError, match="which is a file"):
        ImageFolder(tmp_path / "a.txt")
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(DeviceError, match="a folder of DICOM files"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate_hz: float):
    with pytest.raises(DeviceError, match="frames a second"):
        ImageFolder(tmp_path, rate_hz)


def test_recorded_images_have_the_grey_values_that_the_training_read(shared_data: Path):
    path = shared_data / "us" / "usgra_train" / "images"
    folder = ImageFolder(path)
    files = sorted(path.glob("*.png"))  # four digits each: the natural order is that of the letters
    assert len(folder) == len(files)
    for index in range(0, len(files), 20):
        np.testing.assert_array_equal(folder.frame(index).pixels, np.rint(to_grey(read_pixels(files[index]))))

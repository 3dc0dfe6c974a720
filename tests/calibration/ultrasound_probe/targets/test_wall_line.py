"""The wall's line in drawn images with speckle, and in PLUS's recorded water tank."""

from pathlib import Path

import numpy as np
import pytest

from calibration.ultrasound_probe.errors import ProbeRefusedError
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.targets.calibrate import calibrate_from_target
from calibration.ultrasound_probe.targets.judging import ProbeImage
from calibration.ultrasound_probe.targets.wall_line import find_wall_line
from navigation.devices.ultrasound.opening import open_recording


def drawn(slope: float, height: float, rng: np.random.Generator, brightness: float = 120.0) -> np.ndarray:
    """480 x 640: speckle, and an echo that rises within 2 px and rings on for 10, in the columns 100 to 500."""
    image = rng.rayleigh(6.0, (480, 640))
    behind = np.arange(480)[:, None] - (slope * np.arange(640) + height)
    echo = brightness * np.clip(behind / 2.0 + 0.5, 0.0, 1.0) * np.exp(-np.maximum(behind, 0.0) / 5.0)
    echo[:, :100] = echo[:, 500:] = 0.0
    return np.clip(image + echo * rng.rayleigh(0.8, (480, 640)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("slope", "height"), [(0.0, 240.0), (0.35, 120.0), (-0.4, 380.0)])
def test_a_wall_is_found_within_two_pixels(slope, height):
    rng = np.random.default_rng(0)
    image = drawn(slope, height, rng)
    image[60:64, 200:260] = 255  # a bubble, brighter than the wall
    line = find_wall_line(image)
    wanted = slope * line.ends_px[:, 0] + height
    np.testing.assert_allclose(line.ends_px[:, 1], wanted, atol=2.5)
    assert np.ptp(line.ends_px[:, 0]) > 350


def test_an_echo_of_the_echo_is_not_taken_for_the_wall():
    rng = np.random.default_rng(1)
    image = np.maximum(drawn(0.1, 120.0, rng), drawn(0.2, 240.0, rng, brightness=70.0))
    line = find_wall_line(image)
    np.testing.assert_allclose(line.ends_px[:, 1], 0.1 * line.ends_px[:, 0] + 120.0, atol=2.5)


def test_no_wall_in_speckle_in_darkness_and_in_a_short_echo():
    rng = np.random.default_rng(2)
    assert find_wall_line(rng.rayleigh(6.0, (480, 640)).astype(np.uint8)) is None
    assert find_wall_line(np.zeros((480, 640), np.uint8)) is None
    short = drawn(0.0, 240.0, rng)
    short[:, :460] = rng.rayleigh(6.0, (480, 460)).astype(np.uint8)
    assert find_wall_line(short) is None


def test_plus_water_tank_lacks_the_tilts_of_a_calibration(shared_data: Path):
    """It was recorded for the delay: up and down, tilted by a few degrees; the wall is seen, and that is said."""
    recording = open_recording(shared_data / "tracking/pluslib/TestImages/WaterTankBottomTranslationCombined.igs.mha")
    samples = []
    for index in range(0, len(recording), 5):
        frame = recording.frame(index)
        line = find_wall_line(frame.pixels)
        assert line is not None
        pose = frame.poses["T_tracker_reference"].inverse() @ frame.poses["T_tracker_probe"]
        samples.append(ProbeSample(index, frame.capture_ns / 1e9, line.ends_px, pose))
    with pytest.raises(ProbeRefusedError, match="leaves open") as refused:
        calibrate_from_target("wall", samples, ProbeImage(size_px=(820, 616)))
    assert "tilt the probe to and fro" in refused.value.action

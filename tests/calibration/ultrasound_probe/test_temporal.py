"""The lag between images and poses: exact on simulated motion, PLUS's baseline on its own recording, refusals."""

import numpy as np
import pytest

from calibration.ultrasound_probe.bottom_line import find_bottom_line
from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.temporal import calibrate_probe_time
from navigation.devices.ultrasound.plus.sequence import PlusSequence

PLUS_LAG_S = -0.0648266  # TemporalCalibrationResultsBaseline.xml


def stroke(time_s):
    """Depth in mm of a probe that a hand moves up and down."""
    return 8.0 * np.sin(4.1 * time_s) + 5.0 * np.sin(2.3 * time_s + 1.0) + 3.0 * np.sin(1.1 * time_s * time_s / 10.0)


def moved(time_s, path=stroke):
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    poses[:, :3, 3] = np.outer(path(time_s), [0.3, -0.9, 0.2]) + [100.0, -30.0, 900.0]
    return ProbeMotion(time_s, poses)


IMAGES_S = np.arange(200) * 0.08 + 0.013


@pytest.mark.parametrize("lag_s", [-0.0648, 0.0, 0.2113, -0.6])
def test_the_lag_is_found_between_frames(lag_s):
    depth_px = 300.0 + 13.0 * stroke(IMAGES_S + lag_s)
    found = calibrate_probe_time(IMAGES_S, depth_px, moved(np.arange(-100, 1800) * 0.01))
    # Straight lines between poses 10 ms apart miss this motion by 0.003 mm; it runs at 40 mm/s.
    assert found.lag_s == pytest.approx(lag_s, abs=2e-4)
    assert found.accepted


def test_frames_in_which_something_else_was_seen_do_not_move_it():
    rng = np.random.default_rng(8)
    depth_px = 300.0 + 13.0 * stroke(IMAGES_S + 0.05) + rng.normal(0.0, 1.0, 200)
    depth_px[rng.choice(200, 30, replace=False)] = rng.uniform(0.0, 600.0, 30)
    depth_px[50:60] = depth_px[50]  # the image froze
    depth_px[120:125] = np.nan  # the bottom was out of sight
    found = calibrate_probe_time(IMAGES_S, depth_px, moved(np.arange(-100, 1800) * 0.01))
    assert found.lag_s == pytest.approx(0.05, abs=4.0 * found.lag_sd_s)
    assert found.lag_sd_s < 0.002
    assert found.accepted
    assert not found.used[120:125].any()


def test_its_doubt_is_what_repetitions_scatter_by():
    motion = moved(np.arange(-100, 1800) * 0.01)
    off = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        wobble = np.convolve(rng.normal(0.0, 3.0, 209), np.ones(10) / np.sqrt(10.0), "valid")  # slow, as a water's wave
        found = calibrate_probe_time(IMAGES_S, 300.0 + 13.0 * stroke(IMAGES_S + 0.05) + wobble, motion)
        off.append((found.lag_s - 0.05) / found.lag_sd_s)
    # The RMS of 24 scatters by 15 %.
    assert 0.5 < np.sqrt(np.mean(np.square(off))) < 1.5


def test_what_gives_no_lag_is_refused_in_words():
    fine_s = np.arange(-100, 1800) * 0.01
    rng = np.random.default_rng(9)
    unrelated = calibrate_probe_time(IMAGES_S, rng.normal(300.0, 40.0, 200), moved(fine_s))
    assert "follows the probe with a correlation of" in " ".join(unrelated.reasons)

    def even(time_s):
        return 9.0 * np.sin(2.0 * np.pi * time_s / 0.8)

    repeating = calibrate_probe_time(
        IMAGES_S, 300.0 + 10.0 * even(IMAGES_S) + rng.normal(0, 1, 200), moved(fine_s, even)
    )
    assert "repeats itself" in " ".join(repeating.reasons)
    late = calibrate_probe_time(IMAGES_S, 300.0 + 13.0 * stroke(IMAGES_S + 1.2), moved(np.arange(-200, 2000) * 0.01))
    assert not late.accepted
    with pytest.raises(ProbeRefusedError, match="0 of 200 images"):
        calibrate_probe_time(IMAGES_S, np.full(200, np.nan), moved(fine_s))
    with pytest.raises(ProbeInputError, match="order of time"):
        calibrate_probe_time(IMAGES_S[::-1], np.ones(200), moved(fine_s))
    with pytest.raises(ProbeRefusedError, match="one clock"):
        calibrate_probe_time(IMAGES_S + 1000.0, np.ones(200), moved(fine_s))
    with pytest.raises(ProbeInputError, match="times that increase"):
        moved(fine_s[::-1])


def test_a_line_is_found_between_echoes_and_noise():
    rng = np.random.default_rng(10)
    rows, columns = np.mgrid[:300, :400]
    line = 150.0 + 0.2 * (columns - 199.5)
    image = 200.0 * np.exp(-((rows - line) ** 2) / 18.0) + rng.gamma(1.0, 8.0, rows.shape)
    image[40:44, 100:160] = 230.0  # something that floats in the tank
    found = find_bottom_line(np.clip(image, 0, 255).astype(np.uint8))
    assert found is not None
    assert found.depth_px == pytest.approx(150.0, abs=0.3)
    assert found.slope == pytest.approx(0.2, abs=0.005)
    assert find_bottom_line(np.clip(rng.gamma(1.0, 8.0, rows.shape), 0, 255).astype(np.uint8)) is None
    assert find_bottom_line(np.zeros((300, 400), np.uint8)) is None


def test_plus_own_recording_gives_its_lag(shared_data):
    sequence = PlusSequence(shared_data / "tracking/pluslib/TestImages/WaterTankBottomTranslationCombined.igs.mha")
    lines = [find_bottom_line(sequence.frame(k).pixels) for k in range(len(sequence))]
    depth_px = np.array([np.nan if line is None else line.depth_px for line in lines])
    time_s = np.array(sequence.times_ns) * 1e-9
    poses = np.stack([sequence.poses(k)["T_tracker_probe"].matrix for k in range(len(sequence))])
    found = calibrate_probe_time(time_s, depth_px, ProbeMotion(time_s, poses))
    assert found.accepted
    assert found.lag_s == pytest.approx(PLUS_LAG_S, abs=1e-3)
    assert found.lag_sd_s > abs(found.lag_s - PLUS_LAG_S)

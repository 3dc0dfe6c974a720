"""PLUS's own segmented wire points: its published error from its own calibration, and ours beside it."""

from xml.etree import ElementTree

import numpy as np
import pytest

from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.motion import ProbeMotion
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.n_wire import calibrate_n_wires
from calibration.ultrasound_probe.wires.validation import n_wire_errors_mm, trimmed_mean
from geometry import Transform
from navigation.devices.ultrasound.plus.phantom import read_plus_phantom

PUBLISHED_MM = 1.24684


def field(frame, name):
    found = next(each for each in frame.iter("CustomFrameField") if each.get("Name") == name)
    return np.array(found.get("Value").split(), np.float64)


def sweep_of(part):
    """The points of each image, and all poses."""
    samples = []
    for k, frame in enumerate(part.findall("Frame")):
        to_probe, to_reference = (
            field(frame, f"{tool}ToTrackerTransform").reshape(4, 4) for tool in ("Probe", "Reference")
        )
        matrix = np.linalg.inv(to_reference) @ to_probe
        u, _, vt = np.linalg.svd(matrix[:3, :3])
        matrix[:3, :3], matrix[3] = u @ vt, (0.0, 0.0, 0.0, 1.0)
        points = frame.findall("SegmentedPoints/Point")
        points_px = [point.get("Position").split()[:2] for point in points]
        names = tuple(point.get("WireName") for point in points)
        time_s = float(field(frame, "Timestamp")[0])
        samples.append(ProbeSample(k, time_s, points_px, Transform(matrix, "reference", "probe"), names))
    poses = np.stack([sample.T_fixed_probe.matrix for sample in samples])
    return samples, ProbeMotion(np.array([sample.time_s for sample in samples]), poses)


def test_held_out_error_is_below_the_one_that_plus_publishes(shared_data):
    root = shared_data / "tracking/pluslib"
    phantom = read_plus_phantom(root / "ConfigFiles_Testing/PlusDeviceSet_fCal_Sim_SpatialCalibration_1.2.xml")
    report = ElementTree.parse(root / "TestImages/FreehandCalibration3NWires.results.xml").getroot()
    first, motion = sweep_of(next(report.iter("CalibrationData")))
    second, second_motion = sweep_of(next(report.iter("ValidationData")))
    given = phantom.wires, phantom.T_fixed_phantom
    own = next(report.iter("CalibrationResults")).find("Transform").get("Matrix").split()
    plus_map = ImageToProbe(np.array(own, np.float64).reshape(4, 4)[:3][:, [0, 1, 3]], np.zeros((9, 9)))
    # Our measure is PLUS's: it gives the published number from PLUS's own calibration.
    assert trimmed_mean(n_wire_errors_mm(plus_map, second, *given)) == pytest.approx(PUBLISHED_MM, abs=1e-3)
    found = calibrate_n_wires(first, *given, (820, 616), motion=motion)
    ours = found.calibration.image_map
    assert found.calibration.accepted
    assert n_wire_errors_mm(ours, second, *given).mean() < PUBLISHED_MM  # poses as recorded, and none left out
    assert trimmed_mean(n_wire_errors_mm(ours, second, *given, second_motion, found.lag_s)) < 0.8

"""The JSON of a calibration's result: what is written is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import CalibrationResultError, PivotRefusedError
from calibration.result import CalibratedTransform, CalibrationResult, ExpectedError, InputFile, Outlier, read_result
from geometry import Transform

T_STYLUS_TIP = Transform.from_rotation(
    Rotation.from_rotvec([0.1, 0.2, 0.3]), [3.0, -5.0, -160.0], "stylus", "stylus_tip"
)
COVARIANCE = np.diag([0.0, 0.0, 0.0, 0.01, 0.02, 0.03])


def made(**changes: object) -> CalibrationResult:
    values = {
        "kind": "pivot",
        "subject": "stylus",
        "made": "2026-11-27T02:15:03+00:00",
        "method": "algebraic one-step",
        "inputs": (InputFile(name="a.csv", sha256="0" * 64),),
        "transforms": (CalibratedTransform.of(T_STYLUS_TIP, COVARIANCE),),
        "numbers": {"tilt_rms_deg": 12.0},
        "matrices": {"camera_px": ((800.0, 0.0, 320.0), (0.0, 800.0, 240.0), (0.0, 0.0, 1.0))},
        "n_used": 199,
        "n_rejected": 1,
        "outliers": (Outlier(index=7, time_s=0.35, residual=12.0),),
        "residual_rms": 0.2,
        "residual_p95": 0.4,
        "coverage": ("tilted by 12 degrees RMS about its least tilted axis",),
        "expected_error": ExpectedError(value=0.24, unit="mm", at="stylus_tip"),
        "verdict": "accepted",
    }
    return CalibrationResult(**{**values, **changes})


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text(made().to_json())
    read = read_result(path)
    assert read == made()
    assert read.is_accepted
    np.testing.assert_allclose(read.transform("stylus", "stylus_tip").matrix, T_STYLUS_TIP.matrix, atol=1e-12)
    np.testing.assert_array_equal(read.transforms[0].covariance_matrix, COVARIANCE)
    with pytest.raises(CalibrationResultError, match=r"T_probe_image of the pivot .+ which has T_stylus"):
        read.transform("probe", "image")


def test_a_refusal_is_kept_with_its_words():
    error = PivotRefusedError("12 poses", "at least 30", "go on")

    def calibrate() -> CalibrationResult:
        raise error

    refused = CalibrationResult.or_refused(
        calibrate, kind="pivot", subject="stylus", made=made().made, method="one-step", n_used=12
    )
    assert not refused.is_accepted
    assert refused.reasons == (str(error),)
    assert CalibrationResult.model_validate_json(refused.to_json()) == refused


FAULTS = {
    "another file": ({"format": "surgnav_tip"}, "format"),
    "no zone": ({"made": "2026-11-27T02:15:03"}, "made: .*time zone"),
    "no time": ({"made": "today"}, "made: .*time zone"),
    "a path as subject": ({"subject": "../../etc"}, "subject"),
    "another kind": ({"kind": "guess"}, "kind"),
    "text for a number": ({"residual_rms": "0.2"}, "residual_rms"),
    "an unknown key": ({"residual": 0.2}, "residual"),
    "refused without a reason": ({"verdict": "refused"}, "a reason"),
    "accepted without an error": ({"expected_error": None}, "an expected_error"),
    "no checksum": ({"inputs": [{"name": "a.csv", "sha256": "abc"}]}, "inputs: 0: sha256"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_result_is_refused(tmp_path: Path, fault: str):
    change, said = FAULTS[fault]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({**json.loads(made().to_json()), **change}))
    with pytest.raises(CalibrationResultError, match=said):
        read_result(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quaternion_xyzw", [0.0, 0.0, 0.0, 2.0], "length 1"),
        ("covariance", [[1.0] * 6] * 5, "6 rows of 6"),
        ("covariance", np.diag([1.0, 1.0, 1.0, 1.0, 1.0, -1.0]).tolist(), "without negative eigenvalues"),
        ("covariance", np.triu(np.ones((6, 6))).tolist(), "symmetric"),
        ("to_frame", "Stylus", "to_frame"),
    ],
)
def test_what_is_no_transform_is_refused(tmp_path: Path, key: str, value: object, said: str):
    document = json.loads(made().to_json())
    document["transforms"][0][key] = value
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document))
    with pytest.raises(CalibrationResultError, match=said):
        read_result(path)


def test_no_file_and_no_json(tmp_path: Path):
    with pytest.raises(CalibrationResultError, match="no such file"):
        read_result(tmp_path / "away.json")
    (tmp_path / "cut.json").write_text(made().to_json()[:200])
    with pytest.raises(CalibrationResultError, match="JSON"):
        read_result(tmp_path / "cut.json")

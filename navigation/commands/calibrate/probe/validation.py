"""The error of a calibration from N-wires on a second recording, as PLUS states it."""

from __future__ import annotations

from pathlib import Path

from calibration.result import CalibrationResult
from calibration.ultrasound_probe.wires.validation import n_wire_errors_mm, trimmed_mean
from navigation.acquisition.probe.targets import TargetCollecting
from navigation.acquisition.probe.wires import WireCollecting
from navigation.commands.calibrate.probe.frames import fill_from_recording


def validated(result: CalibrationResult, collected: WireCollecting | TargetCollecting, path: Path) -> CalibrationResult:
    """The result with its error on the second sequence; a refusal, and that of another target, as it was.

    Raises:
        DeviceError: no such recording, or one without the poses.
    """
    if not isinstance(collected, WireCollecting) or not result.transforms:
        return result
    found, scan = collected.calibration(), collected.scan
    second = WireCollecting(collected.markers, scan)
    inputs = fill_from_recording(second, path)
    lag_s = found.lag_s if scan.lag_s is None else scan.lag_s
    errors_mm = n_wire_errors_mm(
        found.calibration.image_map,
        second.samples(),
        scan.phantom,
        scan.T_fixed_phantom,
        second.motion(),
        lag_s or 0.0,
    )
    mean_mm, trimmed_mm = float(errors_mm.mean()), trimmed_mean(errors_mm)
    said = (
        f"on {path.name}: middle wires {mean_mm:.3f} mm off in the mean, {trimmed_mm:.3f} mm without the worst 5 %, "
        f"of {len(errors_mm)} that have a pose"
    )
    numbers = {"validation_mean_mm": mean_mm, "validation_trimmed_mean_mm": trimmed_mm}
    update = {
        "coverage": (*result.coverage, said),
        "numbers": {**result.numbers, **numbers},
        "inputs": (*result.inputs, inputs),
    }
    return result.model_copy(update=update)

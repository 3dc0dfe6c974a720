from calibration.pivot.pivot import (
    PivotCalibration as PivotCalibration,
    calibrate_pivot as calibrate_pivot,
)
from calibration.pivot.settings import PivotSettings as PivotSettings
from calibration.pivot.spin import (
    SpinCalibration as SpinCalibration,
    SpinSettings as SpinSettings,
    calibrate_spin as calibrate_spin,
)
from calibration.result import CalibrationResult as CalibrationResult, read_result as read_result
from calibration.streams import PoseStream as PoseStream

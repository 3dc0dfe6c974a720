from calibration.pivot.pivot import (
    PivotCalibration as PivotCalibration,
    PivotSettings as PivotSettings,
    calibrate_pivot as calibrate_pivot,
)
from calibration.result import CalibrationResult as CalibrationResult, read_result as read_result
from calibration.streams import PoseStream as PoseStream

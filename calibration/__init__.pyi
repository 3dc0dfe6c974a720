from calibration.pivot import (
    PivotCalibration as PivotCalibration,
    PivotSettings as PivotSettings,
    calibrate_pivot as calibrate_pivot,
)

"""A pivot calibration from tracked poses: where the tip of a stylus is, and how well that is known.

Needs: pip install surgnav. Run: python examples/pivot_from_csv.py [POSES.csv]
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

import surgnav

path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "data" / "pivot.csv"
rows = np.loadtxt(path, delimiter=",", skiprows=1)  # x,y,z in mm, then the quaternion qx,qy,qz,qw
poses = [surgnav.Transform.from_rotation(Rotation.from_quat(row[3:]), row[:3], "tracker", "stylus") for row in rows]
found = surgnav.calibrate_pivot(poses)
print(f"tip {found.tip_stylus_mm.round(2)} mm, expected error {found.expected_tip_error_rms_mm:.2f} mm RMS")
print(f"{found.n_used} poses used, {found.n_rejected} rejected, residual {found.residual_rms_mm:.2f} mm RMS")

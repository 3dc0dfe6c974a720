"""Two point lists become a registration, with the error to expect at a target.

Needs: pip install surgnav. Run: python examples/register_points.py [CT.csv PATIENT.csv]
"""

import sys
from pathlib import Path

import numpy as np

import surgnav

DATA = Path(__file__).parent / "data"
TARGET_CT = [[20.0, -150.0, -1220.0]]  # where it matters; the landmarks lie on the skin

ct_csv, patient_csv = sys.argv[1:] or (DATA / "landmarks_ct.csv", DATA / "landmarks_patient.csv")
in_ct = np.loadtxt(ct_csv, delimiter=",", skiprows=1)  # x,y,z in mm, LPS
on_patient = np.loadtxt(patient_csv, delimiter=",", skiprows=1)  # the same points, touched, in the reference's frame
found = surgnav.register_landmarks(in_ct, on_patient, fle_rms_mm=1.5)
error = surgnav.expected_tre(found.T_reference_ct, found.uncertainty, TARGET_CT)
print(repr(found.T_reference_ct))
print(
    f"FRE {found.fre_rms_mm:.2f} mm; at the target expect {error.rms_mm[0]:.2f} mm RMS, 95 % < {error.p95_mm[0]:.2f} mm"
)

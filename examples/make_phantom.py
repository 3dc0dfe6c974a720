"""Makes the data of the other examples: a phantom's CT, labels as somebody would hand them over, and a case.

Needs: pip install 'surgnav[reconstruction]'. Run: python examples/make_phantom.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

import surgnav

NAMES_CSV = Path(__file__).parent / "data" / "label_names.csv"
NOW = "2026-01-01T00:00:00+00:00"

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
settings = surgnav.TorsoPhantomSettings(spacing_mm=(3.0, 3.0, 3.0))
phantom = surgnav.make_torso_phantom(settings, np.random.default_rng(1))
ct, labels = folder / "ct.nii.gz", folder / "labels.nii.gz"
surgnav.write_nifti(ct, phantom.ct)
surgnav.write_nifti(labels, phantom.labels)
surgnav.reconstruct_from_labels(
    ct, labels, folder / "case", name="phantom", time=NOW, clock=surgnav.MonotonicClock(), names_csv=NAMES_CSV
)
surgnav.Case.open(folder / "case").decide("body", "approved", "Dr Example", NOW, looked_at=True)
print(f"made {ct}, {labels} and {folder / 'case'}")

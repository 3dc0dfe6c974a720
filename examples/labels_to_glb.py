"""Somebody's segmentation becomes one GLB a structure, ready for a headset.

Needs: pip install 'surgnav[reconstruction]'. Run: python examples/labels_to_glb.py CT LABELS NAMES.csv FOLDER
"""

import sys
from pathlib import Path

import surgnav

ct_path, labels_path, names_csv, folder = sys.argv[1:]
scan = surgnav.read_ct(ct_path)
labels = surgnav.read_labels(labels_path, scan, names_csv=names_csv)  # NIfTI, NRRD, 3D Slicer, DICOM SEG
names = {structure.value: structure.name for structure in labels.structures}
Path(folder).mkdir(parents=True, exist_ok=True)
for name, made in surgnav.surfaces_from_labels(labels.layers[0], names).items():
    surgnav.write_surface(Path(folder) / f"{name}.glb", made.surface)
    print(f"{name}: {len(made.surface.triangles)} triangles, {made.surface.volume_ml:.0f} ml")

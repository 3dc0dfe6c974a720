"""A CT becomes a surface of its bone as STL, in mm and LPS.

Needs: pip install 'surgnav[reconstruction]'. Run: python examples/ct_to_stl.py CT bone.stl
"""

import sys
from pathlib import Path

import surgnav

scan = surgnav.read_ct(sys.argv[1])  # a DICOM folder, NIfTI, NRRD or MetaImage; refused, with reasons, if unfit
settings = surgnav.SurfaceSettings(level=250.0, outside=-1000.0, smallest_part_ml=1.0, max_triangles=50_000)
bone = surgnav.extract_surface(scan.volume, "bone", settings)
surgnav.write_surface(Path(sys.argv[2]), bone.surface)
print(f"{len(bone.surface.triangles)} triangles, {bone.surface.volume_ml:.0f} ml, watertight: {bone.watertight}")

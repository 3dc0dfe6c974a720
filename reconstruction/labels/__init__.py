"""Segmentations of others in: NIfTI, NRRD, 3D Slicer and DICOM SEG, on the grid that their header states."""

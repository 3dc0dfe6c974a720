"""Reads segmentations of other programs (NIfTI, NRRD, 3D Slicer, DICOM SEG) on the grid that their header states."""

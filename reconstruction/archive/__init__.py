"""What leaves a case for a hospital's archive: DICOM segmentations, structured reports and surfaces."""

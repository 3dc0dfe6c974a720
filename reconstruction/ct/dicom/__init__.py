"""A folder of DICOM slices to Hounsfield units on one regular grid, or the reasons why not."""

"""CT to labelled volumes to surfaces: readers, the segmentation network, surface extraction and the case."""

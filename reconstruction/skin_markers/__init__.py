"""Radio-opaque balls on the skin, found in the CT to a fraction of a voxel."""

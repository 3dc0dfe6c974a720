"""Other people's CT networks: MONAI bundles, nnU-Net v2 folders and ONNX files, each run as its own card says."""

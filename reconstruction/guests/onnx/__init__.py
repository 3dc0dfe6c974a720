"""Networks of others as an ONNX file with a sidecar that says what the file cannot."""

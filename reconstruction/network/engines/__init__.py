"""Inference engines behind one Protocol: OpenVINO, ONNX Runtime, TensorRT, torch."""

"""Trained models as graphs that other programs run: ONNX."""

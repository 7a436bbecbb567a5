"""ONNX models: read, compiled, differentiated, written back. Needs the extra `onnx`."""

from graphc.onnx import rules as rules
from graphc.onnx.exporting import export, exported_ops
from graphc.onnx.loading import load
from graphc.onnx.variants import OnnxProgram

__all__ = ["OnnxProgram", "export", "exported_ops", "load"]

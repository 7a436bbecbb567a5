"""ONNX models: read, compiled, differentiated, written back. Needs the extra `onnx`."""

from graphc.onnx import rules as rules
from graphc.onnx.coverage import coverage
from graphc.onnx.exporting import export, exported_ops
from graphc.onnx.loading import load
from graphc.onnx.module import OnnxModule, to_module
from graphc.onnx.variants import OnnxProgram

__all__ = [
    "OnnxModule", "OnnxProgram", "coverage", "export", "exported_ops", "load", "to_module",
]  # fmt: skip

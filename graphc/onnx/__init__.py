"""ONNX models: read, compiled, differentiated, written back. Needs the extra `onnx`."""

from graphc.onnx.loading import OnnxProgram, load

__all__ = ["OnnxProgram", "load"]

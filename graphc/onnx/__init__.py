"""ONNX models: read, compiled, differentiated, written back. Needs the extra `onnx`.

    program = gc.onnx.load("model.onnx")    # one program for all sizes, weights as parameters
    module = gc.onnx.to_module("model.onnx")
    gc.onnx.export(program, "again.onnx")

Of ONNX's 1,884 node cases 1,859 are read and right (`tests/suites/onnx_backend.py`). The others:

| operator | cases | why it is not read |
|---|---|---|
| `NonMaxSuppression` | 10 | no op, and no few ops, that suppress boxes in turn |
| `ImageDecoder` | 9 | image files are not decoded: use Pillow, give the pixels |
| `DeformConv` | 4 | no convolution with offsets |
| `ai.onnx.ml:TreeEnsemble` | 2 | no trees |

Strings (`StringNormalizer`, `LabelEncoder`, `TfIdfVectorizer` ...), `Unique` and `BitCast` are
computed with NumPy, of inputs whose values are known: a program for each that calls bring.
"""

from graphc.onnx import rules as rules
from graphc.onnx.coverage import coverage
from graphc.onnx.exporting import export, exported_ops
from graphc.onnx.loading import load
from graphc.onnx.module import OnnxModule, to_module
from graphc.onnx.variants import OnnxProgram

__all__ = [
    "OnnxModule", "OnnxProgram", "coverage", "export", "exported_ops", "load", "to_module",
]  # fmt: skip

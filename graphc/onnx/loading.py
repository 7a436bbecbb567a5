"""Reading and compiling models: `load`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import ShapeError
from graphc.onnx.files import DTYPES
from graphc.onnx.model import Model, Parts, Slot, dtype_of_input, read
from graphc.onnx.reading import Reader, as_damage
from graphc.onnx.values import NeedsValue, Value
from graphc.onnx.variants import OnnxProgram, used
from graphc.program.driver import compile as compile_graph
from graphc.quantisation.integers import integral


def load(
    source: Any,
    *,
    inputs: Mapping[str, Any] | None = None,
    level: str = "O2",
    threads: int | None = None,
    target: str = "cpu",
    fast_math: bool = False,
    name: str = "model",
) -> Any:
    """Read an ONNX model and compile it.

    Args:
        source: a path, the bytes of a file, or an `onnx.ModelProto`.
        inputs: what is known of inputs, by name: a shape (ints and `gc.dim`s), or an array that
            the input always is; others are as the file declares them.
        level, threads, target, fast_math, name: see `gc.compile`.

    Returns:
        A program of the model's inputs, by position or by name. Initialisers of floats are its
        parameters. Where inputs decide on the graph's structure (a shape, axes, the items of a
        sequence, sizes that must be multiples), it is an `OnnxProgram`: a program for each kind
        of call. Several outputs are a tuple.

    Raises:
        MissingFileError, FormatError: there is no such file, or it is damaged.
        UnsupportedError: operators that are not read; all are named.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"),))
        >>> _ = gc.onnx.export(gc.compile([x], x * 2.0), "double.onnx")
        >>> program = gc.onnx.load("double.onnx")
        >>> program(np.ones(3, np.float32))
        array([2., 2., 2.], dtype=float32)
    """
    options: dict[str, Any] = {
        "level": level, "threads": threads, "target": target, "fast_math": fast_math, "name": name,
    }  # fmt: skip
    model = Model(source, inputs or {})
    parts = _read_whole(model)
    if parts is None or not _is_plain(model, parts):
        return OnnxProgram(model, options)
    nodes = integral(list(parts.inputs.values()), [v.x for v in parts.outputs])
    if len(used(parts.inputs, nodes)) < len(parts.inputs):
        return OnnxProgram(model, options)
    given: Any = list(parts.inputs.values())
    if any(node.name != key for key, node in parts.inputs.items()):
        given = dict(parts.inputs)
    return compile_graph(given, nodes[0] if len(nodes) == 1 else tuple(nodes), **options)


def _read_whole(model: Model) -> Parts | None:
    """The model read for all calls; None where inputs decide on its structure."""
    if model.values or not all(map(model.is_tensor, model.types)):
        with as_damage(model.label):
            Reader(model.proto, model.folder, model.label)
        return None
    try:
        return read(
            model,
            {n: Slot(model.sized(n, {}, None), dtype_of_input(model, n)) for n in model.types},
        )
    except (NeedsValue, ShapeError):
        return None


def _is_plain(model: Model, parts: Parts) -> bool:
    """Whether calls give and take arrays of graphc's own dtypes alone."""
    plain = all(isinstance(v, Value) and not v.elem and not v.is_text for v in parts.outputs)
    return bool(parts.outputs) and plain and all(model.elem(n) in DTYPES for n in model.types)

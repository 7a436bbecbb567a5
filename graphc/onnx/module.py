"""ONNX models as modules: their weights are parameters, their graph computes forward and backward.

model = gc.onnx.to_module("model.onnx")
loss = gc.nn.functional.cross_entropy(model(images), labels)
loss.backward()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc import functions as gc
from graphc.autograd.function import Function
from graphc.core.dtypes import is_float
from graphc.core.ir import Node
from graphc.core.origin import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter
from graphc.onnx.files import ODD, array_of
from graphc.onnx.model import Model, Slot, dtype_of_input, read
from graphc.onnx.names import Names
from graphc.onnx.values import NeedsValue, Value
from graphc.onnx.variants import used
from graphc.passes.grad import grad
from graphc.program.driver import compile as compile_graph
from graphc.program.program import Program


class OnnxModule(Module):
    """A module of an ONNX model; see `to_module`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"), 2))
        >>> w = gc.parameter("w", np.ones((2, 1), np.float32))
        >>> model = gc.onnx.to_module(gc.onnx.export(gc.compile([x], x @ w)))
        >>> model(gc.ones(1, 2)).sum().backward()
        >>> model.w.grad
        tensor([[1.],
                [1.]])
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model
        self._built: dict[Any, Built] = {}
        names = Names()
        self._weights: dict[str, str] = {}
        for name, array in _weights(model).items():
            self._weights[name] = names.of(name)
            self.register_parameter(names.of(name), Parameter(gc.tensor(array)))

    def forward(self, *inputs: Any) -> Any:
        """The model's outputs for tensors: one, or a tuple of them.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (2,))
            >>> model = gc.onnx.to_module(gc.onnx.export(gc.compile([x], gc.exp(x))))
            >>> model(gc.zeros(2))
            tensor([1., 1.])
        """
        names = list(self._model.types)
        if len(inputs) != len(names):
            raise ArgumentError(
                f"{self._model.label} takes {len(names)} inputs, got {len(inputs)}",
                [f"inputs: {', '.join(names)}"], where=caller(),
            )  # fmt: skip
        tensors = [gc.as_tensor(v) for v in inputs]
        weights = [getattr(self, ident) for ident in self._weights.values()]
        results = _Run.apply(self._for(tensors), *tensors, *weights)
        return results[0] if len(results) == 1 else results

    def _for(self, tensors: list[Tensor]) -> Built:
        """The programs for inputs: for all, or for those of some shapes where sizes decide."""
        if "all" not in self._built:
            try:
                self._built["all"] = Built(self._model, self._weights, {})
            except (NeedsValue, ShapeError):
                key = tuple(tuple(t.shape) for t in tensors)
                if key not in self._built:
                    shapes = dict(zip(self._model.types, key))
                    self._built[key] = Built(self._model, self._weights, shapes)
                return self._built[key]
        return self._built["all"]


class Built:
    """A model with its weights as inputs, and the program of its gradient."""

    def __init__(self, model: Model, weights: Mapping[str, str], shapes: Mapping[str, Any]) -> None:
        given: dict[str, Any] = {}
        for name in model.types:
            shape = shapes[name] if name in shapes else model.sized(name, {}, None)
            given[name] = Slot(tuple(shape), dtype_of_input(model, name))
        arrays = _weights(model)
        nodes = {
            name: gc.input(f"weight_{ident}", arrays[name].shape, arrays[name].dtype)
            for name, ident in weights.items()
        }
        parts = read(model, given, nodes)
        self.inputs: list[Node] = [*parts.inputs.values(), *nodes.values()]
        self.outputs = [v.x for v in parts.outputs if isinstance(v, Value)]
        self.forward = _compiled(self.inputs, self.outputs)
        self._backward: dict[Any, Any] = {}

    def backward(self, wanted: tuple[bool, ...]) -> Any:
        """The program of cotangents of inputs, of the inputs and the outputs' cotangents."""
        if wanted not in self._backward:
            cts = [gc.input(f"ct_{k}", o.shape, o.dtype) for k, o in enumerate(self.outputs)]
            floats = [(o, c) for o, c in zip(self.outputs, cts) if o.dtype.is_float]
            whole = sum((gc.sum(o * c) for o, c in floats), start=gc.constant(np.float32(0)))
            targets = [n for n, is_wanted in zip(self.inputs, wanted) if is_wanted]
            self._backward[wanted] = _compiled([*self.inputs, *cts], grad(whole, targets))
        return self._backward[wanted]


def _compiled(inputs: list[Node], outputs: Any) -> Any:
    """A program that takes all inputs, used or not."""
    taken = used(dict(enumerate(inputs)), outputs)
    program: Program = compile_graph([inputs[k] for k in taken], list(outputs))
    return lambda arrays: program(*[arrays[k] for k in taken])


class _Run(Function):
    """The model as one operation of eager tensors."""

    @staticmethod
    def forward(ctx: Any, built: Built, *tensors: Tensor) -> Any:
        ctx.built = built
        ctx.save_for_backward(*tensors)
        return tuple(gc.tensor(a) for a in built.forward([t.detach().numpy() for t in tensors]))

    @staticmethod
    def backward(ctx: Any, *cts: Any) -> Any:
        built, tensors = ctx.built, ctx.saved_tensors
        wanted = tuple(t.requires_grad or t.dtype.is_float for t in tensors)
        arrays = [t.detach().numpy() for t in tensors]
        arrays += [ct.detach().numpy() for ct in cts]
        found = iter(built.backward(wanted)(arrays))
        return (None, *[gc.tensor(next(found)) if is_wanted else None for is_wanted in wanted])


def _weights(model: Model) -> dict[str, np.ndarray]:
    """The initialisers of floats, by name."""
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_type not in ODD:
            array = array_of(tensor, model.folder)
            if array.dtype != object and is_float(array.dtype):
                found[tensor.name] = array
    return found


def to_module(source: Any) -> OnnxModule:
    """An ONNX model as a module.

    Args:
        source: see `gc.onnx.load`.

    Returns:
        The module: initialisers of floats are its parameters, by their names as identifiers;
        it is called with tensors, the model's inputs in their order.

    Raises:
        MissingFileError, FormatError, UnsupportedError: see `gc.onnx.load`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"), 2))
        >>> w = gc.parameter("w", np.ones((2, 1), np.float32))
        >>> model = gc.onnx.to_module(gc.onnx.export(gc.compile([x], x @ w)))
        >>> model(gc.ones(3, 2)).shape, [name for name, _ in model.named_parameters()]
        (graphc.Size([3, 1]), ['w'])
    """
    return OnnxModule(Model(source, {}))

"""A model and its inputs: what a call gives, and what stands for it in the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, TypeProto

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.dims import RESERVED
from graphc.core.ir import Node
from graphc.core.origin import caller
from graphc.errors import ArgumentError, FormatError
from graphc.onnx.files import DTYPES, ODD, elem_name, held, parse
from graphc.onnx.names import Names
from graphc.onnx.reading import Reader, as_damage
from graphc.onnx.values import MOST_SIZE, Absent, NeedsValue, SequenceValue, Value
from graphc.ops.sizes import dim

# What says nothing of a size.
NAMELESS = ("", "?")
# What is known of a size: least, multiple_of; its number; or another symbol that it equals.
Facts = Mapping[str, int] | int | str


@dataclass(frozen=True)
class Slot:
    """An input of a known shape and dtype and unknown value; sizes are ints or `Dim`s."""

    shape: tuple[Any, ...]
    dtype: np.dtype


class Model:
    """A parsed model.

    Args:
        source: a path, bytes or a ModelProto.
        fixed: shapes and values of inputs, by name.

    Attributes:
        proto, folder, label: see `files.parse`.
        types: ONNX's of the inputs, by name, in order.
        idents: identifiers of the inputs, by name.
        shapes, values: what is fixed.
    """

    def __init__(self, source: Any, fixed: Mapping[str, Any]) -> None:
        self.proto, self.folder, self.label = parse(source)
        with as_damage(self.label):
            self._take(fixed)

    def _take(self, fixed: Mapping[str, Any]) -> None:
        """Note the inputs."""
        initial = {t.name for t in self.graph.initializer}
        self.types = {i.name: i.type for i in self.graph.input if i.name not in initial}
        if "" in self.types:
            raise FormatError(f"{self.label}: an input has no name")
        names, symbols = Names(), Names(RESERVED)
        self.idents = {name: names.of(name) for name in self.types}
        self._symbols = {param: symbols.of(param) for param in self._params()}
        self._own = {n: symbols.of(f"{n} size") for n in self.types}
        if unknown := set(fixed) - set(self.types):
            raise ArgumentError(
                f"onnx.load: there is no input {sorted(unknown)[0]!r}",
                [f"inputs: {', '.join(self.types)}"], where=caller(),
            )  # fmt: skip
        self.shapes = {n: s for n, s in fixed.items() if not isinstance(s, np.ndarray)}
        self.values = {n: v for n, v in fixed.items() if isinstance(v, np.ndarray)}

    @property
    def graph(self) -> GraphProto:
        """The main graph."""
        return self.proto.graph

    def _params(self) -> Iterator[str]:
        for type_ in self.types.values():
            for size in type_.tensor_type.shape.dim:
                if size.dim_param not in NAMELESS:
                    yield size.dim_param

    def elem(self, name: str) -> int:
        """The element type of an input."""
        return self.types[name].tensor_type.elem_type

    def is_tensor(self, name: str) -> bool:
        """Whether an input is a tensor of numbers."""
        kind = self.types[name].WhichOneof("value")
        return kind == "tensor_type" and self.elem(name) != TensorProto.STRING

    def shape(self, name: str, rank: int | None = None) -> tuple[int | str, ...]:
        """The sizes of an input: numbers, and names of symbols.

        Args:
            name: of the input.
            rank: of an array, for an input whose rank is not said.

        Raises:
            NeedsValue: the rank is not said.
        """
        type_ = self.types[name].tensor_type
        if not type_.HasField("shape"):
            if rank is None:
                raise NeedsValue(Value(name))
            return tuple(f"{self._own[name]}_{axis}" for axis in range(rank))
        sizes: list[int | str] = []
        for axis, size in enumerate(type_.shape.dim):
            if size.WhichOneof("value") == "dim_value" and size.dim_value >= 0:
                sizes.append(size.dim_value)
            elif size.dim_param not in NAMELESS:
                sizes.append(self._symbols[size.dim_param])
            else:
                sizes.append(f"{self._own[name]}_{axis}")
        return tuple(sizes)

    def sized(self, name: str, facts: Mapping[str, Facts], rank: int | None) -> Any:
        """The shape of an input with symbols as sizes.

        Args:
            name: of the input.
            facts: of symbols.
            rank: see `shape`.
        """
        if name in self.shapes:
            return tuple(self.shapes[name])
        return tuple(s if isinstance(s, int) else _size(s, facts) for s in self.shape(name, rank))


def _size(symbol: str, known: Mapping[str, Facts]) -> Any:
    """A symbol as a size: a number, or so many times another symbol."""
    facts = known.get(symbol, {})
    if isinstance(facts, str):
        return _size(facts, known)
    if isinstance(facts, int):
        return facts
    step = facts.get("multiple_of", 1)
    name = symbol if step == 1 else f"{symbol}_by_{step}"
    return step * dim(name, min=-(-facts.get("min", 0) // step), max=MOST_SIZE // step)


@dataclass
class Parts:
    """What a model's graph was read to.

    Attributes:
        reader: with the parameters.
        inputs: the nodes that a call gives: by the input's name, and its place in a sequence.
        outputs: values, in order.
    """

    reader: Reader
    inputs: dict[Any, Node] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)


def read(model: Model, given: Mapping[str, Any], weights: Mapping[str, Any] | None = None) -> Parts:
    """Read a model's graph.

    Args:
        model: the model.
        given: what each input is: an array (its value), a `Slot`, a list of these, or None.
        weights: tensors in place of the parameters that initialisers become, by name.
    """
    with as_damage(model.label):
        parts = Parts(Reader(model.proto, model.folder, model.label))
        parts.reader.given_weights = weights
        scope = {name: _bound(model, parts, name, found) for name, found in given.items()}
        parts.outputs = parts.reader.graph(model.graph, scope)
    return parts


def _bound(model: Model, parts: Parts, name: str, found: Any) -> Any:
    """What stands for an input."""
    if found is None:
        return Absent()
    if isinstance(found, list):
        idents = parts.reader.names
        items = [
            _item(parts, (name, k), idents.of(f"{name} {k}"), item) for k, item in enumerate(found)
        ]
        return SequenceValue(items, name)
    elem = model.elem(name)
    if isinstance(found, np.ndarray):
        return Value(name, known=found, elem=elem if elem in ODD else 0)
    if elem not in DTYPES and elem not in ODD and model.is_tensor(name) and elem:
        raise FormatError(f"{model.label}: input {name!r} is of {elem_name(elem)}")
    value = _item(parts, name, model.idents[name], found)
    value.elem = elem if elem in ODD else 0
    return value


def _item(parts: Parts, key: Any, ident: str, found: Any) -> Value:
    label = key if isinstance(key, str) else f"{key[0]}[{key[1]}]"
    if isinstance(found, np.ndarray):
        return Value(label, known=found)
    node = gc.input(ident, found.shape, dtypes.as_dtype(found.dtype))
    parts.inputs[key] = node
    return Value(label, tensor=node)


def dtype_of_input(model: Model, name: str) -> np.dtype:
    """The dtype of the arrays of an input, as graphc holds them."""
    elem = model.elem(name)
    if elem in ODD:
        return ODD[elem][1]
    if elem not in DTYPES:
        raise FormatError(f"{model.label}: input {name!r} is of {elem_name(elem)}")
    return DTYPES[elem]


def as_given(model: Model, name: str, value: Any) -> Any:
    """An argument of a call as arrays."""
    if value is None:
        return None
    type_: TypeProto = model.types[name]
    if type_.WhichOneof("value") != "tensor_type" and isinstance(value, list | tuple):
        return [np.asarray(v) for v in value]
    elem = model.elem(name)
    if elem in DTYPES and not hasattr(value, "dtype"):
        return np.asarray(value, DTYPES[elem])
    array = np.asarray(value)
    if elem == TensorProto.STRING or array.dtype.kind in "US":
        return array.astype(object)
    if elem in DTYPES and array.dtype != DTYPES[elem]:
        raise ArgumentError(
            f"{model.label}: input {name!r} is {array.dtype}, not {DTYPES[elem]}", where=caller()
        )
    return held(array, elem)

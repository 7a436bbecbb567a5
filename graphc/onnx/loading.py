"""Reading models: `load`, and programs that are made anew for what their structure depends on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, TypeProto

from graphc import functions as gc
from graphc.core import dtypes
from graphc.core.atoms import is_kept
from graphc.core.dims import RESERVED
from graphc.core.ir import Node, toposort
from graphc.core.origin import caller
from graphc.errors import ArgumentError, FormatError, GraphcError, ShapeError
from graphc.onnx import rules
from graphc.onnx.files import DTYPES, ODD, elem_name, given_back, held, parse
from graphc.onnx.names import Names
from graphc.onnx.reading import FAULTS, Reader
from graphc.onnx.values import Absent, NeedsValue, SequenceValue, Value
from graphc.ops.source import INPUT_OP
from graphc.program.driver import compile as compile_graph
from graphc.program.program import Program

# Programs of one model that are kept for its inputs' values and structures.
MOST_VARIANTS = 64


class Model:
    """A parsed model and how its inputs are given.

    Attributes:
        names: of the inputs, in order.
        types: ONNX's, by name.
    """

    def __init__(self, source: Any, inputs: Mapping[str, Any] | None) -> None:
        self.proto, self.folder, self.label = parse(source)
        graph = self.proto.graph
        initial = {t.name for t in graph.initializer}
        self.types = {i.name: i.type for i in graph.input if i.name not in initial}
        self.names = list(self.types)
        self.fixed = _fixed(self, inputs or {})

    @property
    def graph(self) -> GraphProto:
        """The main graph."""
        return self.proto.graph


def _fixed(model: Model, inputs: Mapping[str, Any]) -> dict[str, tuple[int, ...] | np.ndarray]:
    """What the user says of inputs: shapes, or arrays that they always are."""
    if unknown := set(inputs) - set(model.types):
        raise ArgumentError(
            f"onnx.load: there is no input {sorted(unknown)[0]!r}",
            [f"inputs: {', '.join(model.names)}"], where=caller(),
        )  # fmt: skip
    return dict(inputs)


class Parts:
    """What a model's graph was read to, for given values and structures of inputs.

    Attributes:
        inputs: the nodes that a call gives, by the names of inputs (and places in sequences).
        outputs: values, in order.
        reader: with the parameters.
    """

    def __init__(self, reader: Reader, inputs: dict[Any, Node], outputs: list[Any]) -> None:
        self.reader, self.inputs, self.outputs = reader, inputs, outputs


def symbol_names(model: Model) -> dict[str, str]:
    """Identifiers of the symbolic sizes of a model's inputs."""
    names, found = Names(), {}
    for type_ in model.types.values():
        for size in type_.tensor_type.shape.dim:
            if size.WhichOneof("value") == "dim_param" and size.dim_param:
                found[size.dim_param] = names.of(size.dim_param)
    return found


def _shape(model: Model, name: str, symbols: Mapping[str, str], taken: set[str]) -> tuple[Any, ...] | None:
    """The declared shape of an input; None where its rank is not said."""
    type_ = model.types[name].tensor_type
    if not type_.HasField("shape"):
        return None
    sizes: list[Any] = []
    for axis, size in enumerate(type_.shape.dim):
        kind = size.WhichOneof("value")
        if kind == "dim_value" and size.dim_value >= 0:
            sizes.append(size.dim_value)
        elif kind == "dim_param" and size.dim_param:
            sizes.append(gc_dim(symbols[size.dim_param]))
        else:
            sizes.append(gc_dim(_identifier(f"{name}_{axis}", taken)))
    return tuple(sizes)


def _identifier(name: str, taken: set[str]) -> str:
    made = Names().of(name)
    while made in taken:
        made += "_"
    taken.add(made)
    return made


def gc_dim(name: str) -> Any:
    """A symbolic size."""
    from graphc.ops.sizes import dim

    return dim(name)


def elem_of(type_: TypeProto) -> int:
    """The element type of a tensor's type."""
    return type_.tensor_type.elem_type


def input_value(model: Model, name: str, shape: tuple[Any, ...], ident: str, elem: int) -> Value:
    """A value that a call gives: an input of the graph."""
    if elem not in DTYPES and elem not in ODD:
        raise FormatError(f"{model.label}: input {name!r} is of {elem_name(elem)}")
    dtype = DTYPES[elem] if elem in DTYPES else ODD[elem][1]
    node = gc.input(ident, shape, dtypes.as_dtype(dtype))
    return Value(name, tensor=node, elem=elem if elem in ODD else 0)


def read_model(model: Model, given: Mapping[str, Any]) -> Parts:
    """Read a model's graph.

    Args:
        model: the model.
        given: for inputs: an array (its value), a `Slot` (only its shape), a list or None.
    """
    reader = Reader(model.proto, model.folder, model.label)
    symbols, scope, nodes = symbol_names(model), {}, {}
    taken = set(symbols.values())
    for name in model.names:
        found = given.get(name, model.fixed.get(name, ...))
        scope[name] = _bound(model, name, found, reader, symbols, taken, nodes)
    outputs = reader.graph(model.graph, scope)
    return Parts(reader, nodes, outputs)


class Slot:
    """An input of known shape and unknown value."""

    def __init__(self, array: np.ndarray) -> None:
        self.shape, self.dtype = array.shape, array.dtype


def _bound(model: Model, name: str, found: Any, reader: Reader, symbols: Any, taken: Any, nodes: Any) -> Any:
    """What stands for an input."""
    elem = elem_of(model.types[name])
    if found is None:
        return Absent()
    if isinstance(found, list | tuple) and any(isinstance(v, Slot | np.ndarray) for v in found) or isinstance(found, list):
        items = []
        for k, item in enumerate(found):
            if isinstance(item, np.ndarray):
                items.append(Value(f"{name}[{k}]", known=item))
                continue
            kind = next(key for key, dtype in DTYPES.items() if dtype == item.dtype)
            value = input_value(model, name, item.shape, reader.names.of(f"{name}_{k}"), kind)
            nodes[name, k] = value.tensor
            items.append(value)
        return SequenceValue(items, name)
    if isinstance(found, np.ndarray):
        return Value(name, known=held(found, elem), elem=elem if elem in ODD else 0)
    if found is ...:
        shape = _shape(model, name, symbols, taken)
    else:
        shape = found.shape if isinstance(found, Slot) else tuple(found)
        if isinstance(found, Slot) and elem not in DTYPES and elem not in ODD:
            elem = next(key for key, dtype in DTYPES.items() if dtype == found.dtype)
    if shape is None:
        raise NeedsValue(Value(name))
    value = input_value(model, name, shape, reader.names.of(name), elem)
    nodes[name] = value.tensor
    return value


def _is_tensor(type_: TypeProto) -> bool:
    return type_.WhichOneof("value") == "tensor_type" and elem_of(type_) != TensorProto.STRING


class OnnxProgram:
    """A model whose structure depends on values of inputs: a program for each that calls bring.

    Example:
        >>> import graphc as gc
        >>> gc.onnx.OnnxProgram.__name__
        'OnnxProgram'
    """

    def __init__(self, model: Model, options: dict[str, Any]) -> None:
        self._model, self._options = model, options
        # Inputs whose values, or whose shapes alone, decide what the program is.
        self._by_value: set[str] = set()
        self._by_shape: set[str] = set()
        self._variants: dict[Any, Any] = {}

    @property
    def programs(self) -> list[Program]:
        """The programs that calls have used."""
        return [v.program for v in self._variants.values() if v.program is not None]

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return list(self._model.names)

    def __repr__(self) -> str:
        return f"<OnnxProgram of {self._model.label}: {', '.join(self.inputs)}>"

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Run the model.

        Args:
            args: the inputs in their order; None for an optional that holds nothing.
            named: inputs by name.

        Returns:
            An array; with several outputs a tuple of them. A sequence is a list.
        """
        values = self._arranged(args, named)
        for _ in range(len(self._model.names) + 2):
            key = tuple(self._key(name, values[name]) for name in self._model.names)
            if key in self._variants:
                return self._variants[key](values)
            made = self._made(values)
            if made is not None:
                if len(self._variants) >= MOST_VARIANTS:
                    self._variants.pop(next(iter(self._variants)))
                self._variants[tuple(self._key(n, values[n]) for n in self._model.names)] = made
                return made(values)
        raise FormatError(f"{self._model.label}: what it depends on is not found")

    def _arranged(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        names = [n for n in self._model.names if not isinstance(self._model.fixed.get(n), np.ndarray)]
        label = self._model.label
        if len(args) > len(names):
            raise ArgumentError(f"{label} takes {len(names)} inputs, got {len(args)}", where=caller())
        found = dict(zip(names, args))
        for name, value in named.items():
            if name not in names or name in found:
                raise ArgumentError(
                    f"{label}: input {name!r} is {'given twice' if name in found else 'unknown'}",
                    [f"inputs: {', '.join(names)}"], where=caller(),
                )  # fmt: skip
            found[name] = value
        for name in names:
            optional = self._model.types[name].WhichOneof("value") == "optional_type"
            if name not in found and not optional:
                raise ArgumentError(f"{label}: input {name!r} is missing", where=caller())
        fixed = {n: v for n, v in self._model.fixed.items() if isinstance(v, np.ndarray)}
        return {n: fixed[n] if n in fixed else self._array(n, found.get(n)) for n in self._model.names}

    def _array(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list | tuple) and not _is_tensor(self._model.types[name]) and not elem_of(self._model.types[name]):
            return [np.asarray(v) for v in value]
        elem = elem_of(self._model.types[name])
        if elem in DTYPES and not hasattr(value, "dtype"):
            return np.asarray(value, DTYPES[elem])
        array = np.asarray(value)
        if elem == TensorProto.STRING:
            return array.astype(object) if array.dtype != object else array
        return held(array, elem)

    def _key(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list):
            return tuple((v.dtype.str, v.shape, v.tobytes() if name in self._by_value else b"") for v in value)
        if name in self._by_value:
            data = tuple(value.flat) if value.dtype == object else value.tobytes()
            return value.dtype.str, value.shape, data
        return value.shape if name in self._by_shape else None

    def _given(self, name: str, value: Any) -> Any:
        if value is None or name in self._by_value:
            return value
        if isinstance(value, list):
            return [Slot(v) for v in value]
        if value.dtype == object:
            self._by_value.add(name)
            return value
        return Slot(value) if name in self._by_shape else ...

    def _made(self, values: Mapping[str, Any]) -> Any:
        """A variant; None where more inputs turn out to decide."""
        given = {n: self._given(n, v) for n, v in values.items()}
        given = {n: v for n, v in given.items() if v is not ...}
        try:
            return Variant(self._model, given, self._options)
        except NeedsValue as need:
            self.depends(need)
        except ShapeError:
            if not self._by_shape.issuperset(self._tensors()):
                self._by_shape.update(self._tensors())
            elif loose := self._integers(values) - self._by_value:
                self._by_value |= loose
            else:
                raise
        return None

    def _integers(self, values: Mapping[str, Any]) -> set[str]:
        """The inputs that may say sizes: short vectors of integers."""
        arrays = {n: v for n, v in values.items() if isinstance(v, np.ndarray)}
        return {n for n, v in arrays.items() if v.dtype.kind in "iu" and v.ndim < 2}

    def _tensors(self) -> set[str]:
        return set(self._model.names)

    def depends(self, need: NeedsValue) -> None:
        """Note what inputs a value depends on.

        Raises:
            FormatError: it depends on none, or they are known to decide already.
        """
        names = inputs_of(need.value)
        new = names - self._by_value
        if need.value.tensor is None and need.value.name in self._model.types:
            name = need.value.name
            if name not in self._by_shape:
                self._by_shape.add(name)
                return
            new = {name}
        idents = {Names().of(n): n for n in self._model.names}
        wanted = {self._model_name(n, idents) for n in new} - self._by_value
        if not wanted:
            if self._by_shape.issuperset(self._tensors()):
                raise FormatError(
                    f"{self._model.label}: the value of {need.value.name!r} decides on the "
                    "structure, and is known only while the program runs"
                )
            self._by_shape.update(self._tensors())
        self._by_value |= wanted

    def _model_name(self, ident: str, idents: Mapping[str, str]) -> str:
        if ident in idents:
            return idents[ident]
        return next((n for i, n in idents.items() if ident.startswith(f"{i}_")), ident)


def inputs_of(value: Value) -> set[str]:
    """The names of the inputs of a graph that a value depends on."""
    if not isinstance(value.tensor, Node):
        return set()
    found = {n.name for n in toposort([value.tensor]) if n.op is INPUT_OP}
    sizes = value.tensor.type
    return found if sizes is not None else set()


class Variant:
    """A model read for some values and structures of its inputs."""

    def __init__(self, model: Model, given: Mapping[str, Any], options: dict[str, Any]) -> None:
        self._parts = read_model(model, given)
        self._nodes: list[Any] = []
        self._form = [self._entry(v) for v in self._parts.outputs]
        self._taken = _used(self._parts.inputs, self._nodes)
        self.program: Program | None = None
        if self._nodes:
            name = options.get("name")
            self.program = compile_graph([self._parts.inputs[k] for k in self._taken], self._nodes, **{**options, "name": name})

    def _entry(self, value: Any) -> Any:
        """How an output is put together: the place of a result, or what is known."""
        if isinstance(value, SequenceValue):
            return [self._entry(v) for v in value.items]
        if isinstance(value, Absent):
            return None
        if value.known is not None and value.known.dtype == object and all(isinstance(s, str) for s in value.known.flat):
            return value.known
        if value.known is not None and value.known.dtype != object and value.made is None:
            return given_back(value.known, value.elem)
        self._nodes.append(value.x)
        return len(self._nodes) - 1, value.elem

    def __call__(self, values: Mapping[str, Any]) -> Any:
        arrays = [values[k[0]][k[1]] if isinstance(k, tuple) else values[k] for k in self._taken]
        results = [] if self.program is None else self.program(*arrays)
        found = [_restored(entry, results) for entry in self._form]
        return found[0] if len(found) == 1 else tuple(found)


def _restored(entry: Any, results: Sequence[np.ndarray]) -> Any:
    if isinstance(entry, list):
        return [_restored(e, results) for e in entry]
    if isinstance(entry, tuple):
        return given_back(results[entry[0]], entry[1])
    return entry


def _used(inputs: Mapping[Any, Node], outputs: list[Node]) -> list[Any]:
    """The inputs that outputs depend on, by their values or by their sizes."""
    from graphc.core.dims import symbols
    from graphc.core.ir import map_sizes
    from graphc.core.types import shape_symbols

    order = set(toposort(outputs))
    needed: set[Any] = set()
    sources: list[Any] = []
    for node in toposort(outputs):
        def note(size: Any) -> Any:
            needed.update(symbols(size))
            return size
        for _, attr in node.attrs:
            map_sizes(attr, note)
        for type_ in getattr(node.type, "items", (node.type,)):
            needed.update(shape_symbols(type_.shape))
    pending = list(needed)
    while pending:
        symbol = pending.pop()
        if symbol.source is not None:
            more = toposort([symbol.source])
            order.update(more)
            for node in more:
                for type_ in getattr(node.type, "items", (node.type,)):
                    new = shape_symbols(type_.shape) - needed
                    needed |= new
                    pending.extend(new)
    del sources
    return [k for k, node in inputs.items() if node in order or shape_symbols(node.type.shape) & needed]


def load(
    source: Any,
    *,
    inputs: Mapping[str, Any] | None = None,
    level: str = "O2",
    threads: int | None = None,
    target: str = "cpu",
    fast_math: bool = False,
    name: str | None = None,
) -> Any:
    """Read an ONNX model and compile it.

    Args:
        source: a path, the bytes of a file, or an `onnx.ModelProto`.
        inputs: what is known of inputs, by name: a shape (ints and `gc.dim`s), or an array that
            the input always is; others are as the file declares them.
        level, threads, target, fast_math, name: see `gc.compile`.

    Returns:
        A program of the model's inputs, by position or by name. Initialisers of floats are its
        parameters. Where values of inputs decide on the graph's structure (a shape, axes, the
        length of a sequence), it is an `OnnxProgram`: a program for each that calls bring.
        Several outputs are a tuple.

    Raises:
        MissingFileError, FormatError: there is no such file, or it is damaged.
        UnsupportedError: operators that are not read; all are named.

    Example:
        >>> import graphc as gc
        >>> gc.onnx.load.__name__
        'load'
    """
    rules.FAMILIES  # noqa: B018
    options = {
        "level": level, "threads": threads, "target": target, "fast_math": fast_math,
        "name": name or "model",
    }  # fmt: skip
    model = Model(source, inputs)
    dynamic = OnnxProgram(model, options)
    if not all(_is_tensor(t) for t in model.types.values()):
        Reader(model.proto, model.folder, model.label)
        return dynamic
    try:
        parts = read_model(model, {})
    except NeedsValue as need:
        dynamic.depends(need)
        return dynamic
    except ShapeError:
        dynamic._by_shape.update(model.names)
        return dynamic
    if not _is_plain(model, parts):
        return dynamic
    nodes = [v.x for v in parts.outputs]
    if len(_used(parts.inputs, nodes)) < len(parts.inputs):
        return dynamic
    keys = list(parts.inputs)
    given: Any = list(parts.inputs.values())
    if any(node.name != key for key, node in parts.inputs.items()):
        given = dict(zip(keys, given))
    return compile_graph(given, nodes[0] if len(nodes) == 1 else tuple(nodes), **options)


def _is_plain(model: Model, parts: Parts) -> bool:
    """Whether calls give and take arrays of graphc's own dtypes alone."""
    if not parts.outputs or not all(isinstance(v, Value) and not v.elem for v in parts.outputs):
        return False
    if any(v.known is not None and v.known.dtype == object and any(isinstance(s, str) for s in v.known.flat) for v in parts.outputs):
        return False
    return all(elem_of(t) in DTYPES for t in model.types.values())


__all__ = ["GraphcError", "FAULTS", "ModelProto", "OnnxProgram", "Path", "RESERVED", "is_kept", "load", "warnings"]

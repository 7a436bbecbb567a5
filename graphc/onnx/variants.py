"""Programs of a model whose structure depends on what calls give: one for each kind of call.

A variant is the model read for some values of inputs (axes, a mode, the items of a sequence) and
facts of sizes (h a multiple of 32). Facts are looked for when a call comes that no variant takes:
each size stays symbolic if the model can be read so, with as few facts as that needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core.bounds import symbols
from graphc.core.ir import Node, map_sizes, tensor_type, toposort
from graphc.core.origin import caller
from graphc.core.types import shape_symbols
from graphc.errors import ArgumentError, FormatError, ShapeError
from graphc.onnx.files import given_back
from graphc.onnx.model import Facts, Model, Parts, Slot, as_given, read
from graphc.onnx.values import Absent, NeedsValue, SequenceValue, Value
from graphc.ops.source import INPUT_OP
from graphc.program.driver import compile as compile_graph
from graphc.program.program import Program
from graphc.quantisation.integers import integral

# Programs of one model that are kept, and calls whose variant is remembered.
MOST_VARIANTS, MOST_CALLS = 64, 1024


class OnnxProgram:
    """A model whose structure depends on inputs: a program for each kind of call.

    Example:
        >>> import numpy as np
        >>> import onnx
        >>> import graphc as gc
        >>> head = '<ir_version: 8, opset_import: ["": 18]> '
        >>> sides = "g (float[n, 2] x, int64[1] axes) => (float[k] y) "
        >>> text = head + sides + "{ y = ReduceSum<keepdims=0>(x, axes) }"
        >>> program = gc.onnx.load(onnx.parser.parse_model(text))
        >>> ones = np.ones((3, 2), np.float32)
        >>> program(ones, [0]), program(ones, [1]), len(program.programs)
        (array([3., 3.], dtype=float32), array([2., 2., 2.], dtype=float32), 2)
    """

    def __init__(self, model: Model, options: dict[str, Any]) -> None:
        self._model, self._options = model, options
        self._by_value: set[str] = set()
        self._variants: list[Variant] = []
        self._calls: dict[Any, Variant] = {}
        self._names = [n for n in model.types if n not in model.values]

    @property
    def programs(self) -> list[Program]:
        """The programs that calls have used.

        Example:
            >>> import onnx
            >>> import graphc as gc
            >>> head = '<ir_version: 8, opset_import: ["": 18]> '
            >>> sides = "g (float[n, 2] x, int64[1] axes) => (float[k] y) "
            >>> text = head + sides + "{ y = ReduceSum<keepdims=0>(x, axes) }"
            >>> program = gc.onnx.load(onnx.parser.parse_model(text))
            >>> _ = program([[1.0, 2.0]], [0])
            >>> [len(p.graph.nodes) for p in program.programs]
            [2]
        """
        return [v.program for v in self._variants if v.program is not None]

    @property
    def inputs(self) -> list[str]:
        """The names of the inputs.

        Example:
            >>> import onnx
            >>> import graphc as gc
            >>> head = '<ir_version: 8, opset_import: ["": 18]> '
            >>> sides = "g (float[n, 2] x, int64[1] axes) => (float[k] y) "
            >>> text = head + sides + "{ y = ReduceSum<keepdims=0>(x, axes) }"
            >>> program = gc.onnx.load(onnx.parser.parse_model(text))
            >>> program.inputs
            ['x', 'axes']
        """
        return list(self._names)

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
        key = tuple(self._key(n, v) for n, v in values.items())
        variant = self._calls.get(key)
        if variant is None:
            variant = self._variant(values)
            if len(self._calls) >= MOST_CALLS:
                self._calls.clear()
            self._calls[tuple(self._key(n, v) for n, v in values.items())] = variant
        return variant(values)

    def _arranged(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        names, label = self._names, self._model.label
        if len(args) > len(names):
            raise ArgumentError(
                f"{label} takes {len(names)} inputs, got {len(args)}", where=caller()
            )
        found = dict(zip(names, args))
        for name, value in named.items():
            if name not in names or name in found:
                raise ArgumentError(
                    f"{label}: input {name!r} is {'given twice' if name in found else 'unknown'}",
                    [f"inputs: {', '.join(names)}"], where=caller(),
                )  # fmt: skip
            found[name] = value
        for name in names:
            is_optional = self._model.types[name].WhichOneof("value") == "optional_type"
            if name not in found and not is_optional:
                raise ArgumentError(f"{label}: input {name!r} is missing", where=caller())
        own = self._model.values
        return {
            n: own[n] if n in own else as_given(self._model, n, found.get(n))
            for n in self._model.types
        }

    def _key(self, name: str, value: Any) -> Any:
        """What decides which variant a call takes."""
        if value is None:
            return None
        if isinstance(value, list):
            return tuple((v.dtype.char, v.shape, self._data(name, v)) for v in value)
        return value.shape, self._data(name, value)

    def _data(self, name: str, value: np.ndarray) -> Any:
        if value.dtype == object:
            return tuple(value.flat)
        return value.tobytes() if name in self._by_value else None

    def _variant(self, values: Mapping[str, Any]) -> Variant:
        """The variant for a call, made where there is none."""
        fixed = self._fixed(values)
        for variant in self._variants:
            if variant.takes(values, fixed):
                return variant
        for _ in range(len(self._model.types) + 1):
            try:
                made = self._made(values)
                break
            except NeedsValue as need:
                self._by_value |= self._deciding(need)
            except ShapeError:
                # Sizes that inputs say do not fit as symbols: they are known from here on.
                loose = {n for n, v in values.items() if _may_say_sizes(v)} - self._by_value
                if not loose:
                    raise
                self._by_value |= loose
        else:
            raise FormatError(f"{self._model.label}: what decides on its structure is not found")
        if len(self._variants) >= MOST_VARIANTS:
            self._variants.pop(0)
            self._calls.clear()
        self._variants.append(made)
        return made

    def _fixed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a variant has of a call: values that decide, the structure of the rest."""
        return {n: (self._key(n, v) if self._is_known(n, v) else None) for n, v in values.items()}

    def _is_known(self, name: str, value: Any) -> bool:
        if value is None or isinstance(value, list):
            return True
        return name in self._by_value or name in self._model.values or value.dtype == object

    def _made(self, values: Mapping[str, Any]) -> Variant:
        """A variant of few facts for a call."""
        sizes = _sizes(self._model, {n: v for n, v in values.items() if not self._is_known(n, v)})
        fixed = self._fixed(values)

        def tried(facts: Mapping[str, Facts]) -> Parts | None:
            try:
                return read(self._model, self._given(values, facts))
            except ShapeError:
                return None
            except NeedsValue as need:
                # Of sizes alone: it is known where they are.
                if inputs_of(need.value) or need.value.tensor is None:
                    raise
                return None

        parts, facts = tried({}), dict[str, Facts]()
        if parts is None:
            facts = {s: _by(size, 32) for s, size in sizes.items() if size > 1}
            parts = tried(facts)
        if parts is None:
            facts = dict(sizes)
            for symbol, size in sizes.items():
                alike = [s for s, v in sizes.items() if v == size and isinstance(facts[s], Mapping)]
                for option in _options(size, alike):
                    better = tried({**facts, symbol: option})
                    if better is not None:
                        parts, facts[symbol] = better, option
                        break
        if parts is None:
            parts = read(self._model, self._given(values, facts))
        return Variant(self._model, parts, facts, fixed, self._options)

    def _given(self, values: Mapping[str, Any], facts: Mapping[str, Facts]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, list):
                known = name in self._by_value
                given[name] = [v if known else Slot(v.shape, v.dtype) for v in value]
            elif self._is_known(name, value):
                given[name] = value
            else:
                shape = self._model.sized(name, facts, value.ndim)
                given[name] = Slot(shape, value.dtype)
        return given

    def _deciding(self, need: NeedsValue) -> set[str]:
        """The inputs that a value depends on, which decides on the structure.

        Raises:
            FormatError: there is no more to know.
        """
        value = need.value
        idents = {ident: name for name, ident in self._model.idents.items()}
        found = {_outer(ident, idents) for ident in inputs_of(value)} - self._by_value
        if not found and value.tensor is None and value.name in self._model.types:
            return set()
        if not found:
            raise FormatError(
                f"{self._model.label}: the value of {value.name!r} decides on the structure, and "
                "is known only while the program runs"
            )
        return found


def _may_say_sizes(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim < 2 and value.dtype.kind in "iu"


def _outer(ident: str, idents: Mapping[str, str]) -> str:
    """The input that an identifier is of, or of an item of."""
    while ident not in idents and "_" in ident:
        ident = ident.rpartition("_")[0]
    return idents.get(ident, ident)


def inputs_of(value: Value) -> set[str]:
    """The identifiers of the inputs that a value depends on."""
    if not isinstance(value.tensor, Node):
        return set()
    return {n.name for n in toposort([value.tensor]) if n.op is INPUT_OP}


def _sizes(model: Model, values: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of a call by symbol, the first axes' first."""
    found: dict[str, int] = {}
    shapes = {n: model.shape(n, v.ndim) for n, v in values.items() if n not in model.shapes}
    for axis in range(max((len(s) for s in shapes.values()), default=0)):
        for name, shape in shapes.items():
            if axis < min(len(shape), values[name].ndim) and isinstance(shape[axis], str):
                found.setdefault(str(shape[axis]), values[name].shape[axis])
    return found


def _by(size: int, most: int) -> Facts:
    """The greatest power of two that divides a size, up to one."""
    step = min(size & -size, most)
    return {"multiple_of": step, "min": step}


def _options(size: int, alike: Sequence[str]) -> Iterator[Facts]:
    """What may be known of a size, the least first; `alike` have the same number."""
    yield {}
    yield from alike
    yield {"min": 1}
    if size % 2 == 0 and size:
        yield _by(size, 32)
        yield _by(size, 64)
    if size > 3:
        yield {"min": size // 2}
    yield {"min": size}


class Variant:
    """A model read for some values and facts, as a program.

    Attributes:
        program: None where all outputs are known.
    """

    def __init__(
        self, model: Model, parts: Parts, facts: Mapping[str, Facts],
        fixed: Mapping[str, Any], options: dict[str, Any],
    ) -> None:  # fmt: skip
        self._model, self._facts, self._fixed = model, facts, fixed
        self._nodes: list[Any] = []
        self._form = [self._entry(v) for v in parts.outputs]
        self._taken = used(parts.inputs, self._nodes)
        self.program: Program | None = None
        if self._nodes:
            inputs = [parts.inputs[key] for key in self._taken]
            self.program = compile_graph(inputs, integral(inputs, self._nodes), **options)

    def takes(self, values: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
        """Whether a call's values and sizes are those that it was read for."""
        if fixed != self._fixed:
            return False
        found: dict[str, int] = {}
        loose = {n: v for n, v in values.items() if fixed[n] is None and v is not None}
        for name, value in loose.items():
            if name in self._model.shapes:
                continue
            for size, symbol in zip(value.shape, self._model.shape(name, value.ndim)):
                if isinstance(symbol, str) and not self._holds(symbol, size, found):
                    return False
        return True

    def _holds(self, symbol: str, size: int, found: dict[str, int]) -> bool:
        """Whether a size is what is known of it; `found` has those before."""
        facts = self._facts.get(symbol, {})
        if isinstance(facts, str):
            return self._holds(facts, size, found)
        if isinstance(facts, int):
            return size == facts
        is_so = size >= facts.get("min", 0) and size % facts.get("multiple_of", 1) == 0
        return is_so and found.setdefault(symbol, size) == size

    def _entry(self, value: Any) -> Any:
        """How an output is put together: the place of a result, or what is known."""
        if isinstance(value, SequenceValue):
            return [self._entry(v) for v in value.items]
        if isinstance(value, Absent):
            return None
        if value.is_fixed and (value.known.dtype != object or value.is_text):
            return given_back(value.known, value.elem)
        self._nodes.append(value.x)
        return len(self._nodes) - 1, value.elem

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The outputs for a call's arrays."""
        arrays = [values[k] if isinstance(k, str) else values[k[0]][k[1]] for k in self._taken]
        results = [] if self.program is None else self.program(*arrays)
        found = [_restored(entry, results) for entry in self._form]
        return found[0] if len(found) == 1 else tuple(found)


def _restored(entry: Any, results: Sequence[np.ndarray]) -> Any:
    if isinstance(entry, list):
        return [_restored(e, results) for e in entry]
    if isinstance(entry, tuple):
        return given_back(results[entry[0]], entry[1])
    return entry.copy() if isinstance(entry, np.ndarray) else entry


def used(inputs: Mapping[Any, Node], outputs: Sequence[Node]) -> list[Any]:
    """The inputs that outputs depend on, by their values or by their sizes."""
    order: set[Node] = set()
    found: set[Any] = set()
    pending = list(outputs)
    while pending:
        for node in toposort(pending):
            if node not in order:
                order.add(node)
                found |= _symbols_in(node)
        sources = {s.source for s in found if s.source is not None}
        pending = [node for node in sources if node not in order]
    return [
        k for k, node in inputs.items()
        if node in order or shape_symbols(tensor_type(node).shape) & found
    ]  # fmt: skip


def _symbols_in(node: Node) -> set[Any]:
    """The symbols in a node's attributes and types."""
    found: set[Any] = set()

    def note(size: Any) -> Any:
        found.update(symbols(size))
        return size

    for _, value in node.attrs:
        map_sizes(value, note)
    types: Any = getattr(node.type, "items", (node.type,))
    for type_ in types:
        found |= shape_symbols(type_.shape)
    return found

"""Programs as folders of plain Python: a readable `model.py` that needs NumPy alone.

Where there is bfloat16 in it, it also needs ml_dtypes.

    gc.jit.export(step, "exported")
    exported/model.py      one statement a node, the user's lines as comments, helpers it needs
    exported/weights.npz   parameters, buffers and other state

`model.py` gives what `gc.interpret` gives, bit for bit with one version of NumPy; `erf` and `erfc`,
which NumPy lacks, within 4 ulp. Compiled programs differ from both by what their kernels' other
order of sums and their own exp, tanh ... make: these are within 2 ulp of the true value.
How each op is written: `numpy_ops`; the functions that are copied are the ops' own definitions
(`numpy_definitions`) and those of `numpy_helpers`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.access import access
from graphc.core.atoms import Symbol
from graphc.core.declared import symbols_of, valued, values_of
from graphc.core.dims import Size
from graphc.core.files import write_file
from graphc.core.ir import Graph, Node, all_nodes, bodies, caller, tensor_type
from graphc.core.trees import Tree
from graphc.errors import ArgumentError, GraphcError, StorageError
from graphc.jit.archive.archive_source import Source, source_of
from graphc.jit.archive.archive_zip import pieces
from graphc.jit.archive.manifest import written_by
from graphc.jit.export import c_export
from graphc.jit.export.numpy_definitions import Definitions
from graphc.jit.export.numpy_ops import name_of
from graphc.jit.export.numpy_scope import TAB, Scope, helpers, sources
from graphc.ops.source import Bound

FORMATS = ("numpy", "c")
WEIGHTS = ("embedded", "beside")
# Names that statements must not take: of the module, and what the helpers' callers use.
MODULE = frozenset(
    ("np", "math", "itertools", "Path", "STATE", "state", "load_state", "save_state", "bfloat16")
)


def export(program: Any, folder: Any, format: str = "numpy", *, weights: str = "embedded") -> Path:
    """Write a program as Python that needs NumPy alone, or as C that needs nothing.

    "numpy": the folder gets `model.py`, with a function of the program's name, and `weights.npz`;
    ml_dtypes is needed where it has bfloat16. A training step changes `model.state` at each call;
    `model.save_state()` writes it back. "c": the folder gets a C99 file and a header of the
    program's name, see `c_export`.

    Args:
        program: a `gc.Program`, or what `gc.jit.trace`, `gc.jit.compile` or `gc.jit.load` returns.
        folder: where; made when it is not there. Files of these names in it are replaced.
        format: "numpy" or "c".
        weights: of C, "embedded" in the file or "beside" it, in a file of the name and `.bin`.

    Returns:
        The folder.

    Raises:
        ArgumentError: it is no program, or something in it has no such form.
        StorageError: the folder cannot be written.

    Example:
        >>> import graphc as gc, os, sys, tempfile
        >>> x = gc.input("x", (gc.dim("n"), 3))
        >>> folder = gc.jit.export(gc.compile([x], gc.softmax(x, -1)), tempfile.mkdtemp())
        >>> sorted(os.listdir(folder))
        ['model.py', 'weights.npz']
    """
    if format not in FORMATS or weights not in WEIGHTS:
        raise ArgumentError(
            f"export: format={format!r}, weights={weights!r}", where=caller(),
            hint=f"formats are {', '.join(FORMATS)}; weights are {' or '.join(WEIGHTS)}",
        )  # fmt: skip
    source = source_of("", program, None)
    if source.first() is not None:
        raise ArgumentError(
            "export: sizes of the program are computed before it runs, which its text has not",
            where=caller(),
            hint="give sizes as integer inputs, or nonzero(size=...) a capacity",
        )
    if format == "c":
        name, content, header, data = c_export.texts(source, weights == "embedded")
        files = {f"{name}.c": [content.encode()], f"{name}.h": [header.encode()]}
        files |= {f"{name}.bin": [data]} if weights == "beside" else {}
    else:
        writer = _Module(source)
        content = writer.text()
        files = {"weights.npz": _npz(writer.states), "model.py": [content.encode()]}
    place = _folder(folder)
    for name, parts in files.items():
        write_file(place / name, parts, "export")
    return place


def _folder(folder: Any) -> Path:
    try:
        place = Path(os.fspath(folder))
        place.mkdir(parents=True, exist_ok=True)
    except TypeError:
        raise ArgumentError(f"export: {folder!r:.80} is not a path", where=caller()) from None
    except OSError as error:
        raise StorageError(
            f"export: {folder} cannot be made: {error.strerror or error}", where=caller()
        ) from None
    return place


def _npz(states: Mapping[str, Any]) -> Any:
    """The bytes of an .npz file, piece by piece."""
    with access(reads=list(states.values())):
        arrays = {name: state.array.copy() for name, state in states.items()}
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        members[f"{name}.npy"] = [buffer.getvalue()]
    return pieces(members)


class _Module:
    """The text of `model.py`."""

    def __init__(self, source: Source) -> None:
        self.program = source.program
        self.named = source.named
        self.graph: Graph = source.program.graph
        self.states: dict[str, Any] = {}
        self.call = source.call(self._state_name) if source.call else None
        self.helpers: set[str] = {"argument", "expect", "result"}
        self.definitions = Definitions()
        for op in dict.fromkeys(node.op for node in all_nodes(self.graph)):
            self.definitions.add(op)
        taken = {*MODULE, *sources(), *self.definitions.texts}
        taken |= {s.name for node in self.graph.nodes for s in symbols_of(node)}
        self.name = self.graph.name if self.graph.name not in taken else f"{self.graph.name}_"
        self.scope = Scope({*taken, self.name}, self.helpers, 1, self.definitions)

    def _state_name(self, node: Any) -> str:
        """The name of a state in `weights.npz`."""
        for name, state in self.states.items():
            if state is node.state:
                return name
        wanted = self.named(node.state.array) or node.name
        name, count = wanted, 1
        # `file` is an argument of np.savez.
        while name in self.states or name == "file":
            count += 1
            name = f"{wanted}_{count}"
        self.states[name] = node.state
        return name

    def text(self) -> str:
        """The whole module.

        Raises:
            ArgumentError: an op has no form in NumPy.
        """
        scope = self.scope
        free = [n for n in self.graph.inputs if not isinstance(n, Bound)]
        if given := self.program._build.layout.given:
            raise ArgumentError(
                f"export: {self.name} has values for inputs that calls need not give: "
                f"{', '.join(given)}",
                where=caller(),
                hint="export the program without them, or save it with gc.jit.save",
            )
        for node in free:
            scope.names[node] = scope.unique(node.name)
        arguments = ", ".join(scope.names[n] for n in free)
        self._inputs(free)
        for node in self.graph.inputs:
            if isinstance(node, Bound):
                scope.names[node] = scope.unique(node.name)
                scope.add(f"{scope.names[node]} = state[{self._state_name(node)!r}]")
        try:
            scope.statements(self.graph)
        except GraphcError as error:
            raise ArgumentError(
                f"export: {error.what}", error.details, where=caller(), hint=error.hint
            ) from None
        self._outputs()
        head = [
            '@np.errstate(all="ignore")',
            f"def {self.name}({arguments}):",
            *_documented(self.graph, free, [scope.names[n] for n in free]),
        ]
        return "\n".join([*self._preamble(arguments), *head, *scope.lines, ""])

    def _preamble(self, arguments: str) -> list[str]:
        functions = helpers(self.helpers, self.definitions)
        imports = [m for m in ("itertools", "math") if any(f"{m}." in f for f in functions)]
        narrow = any(_has_bfloat16(node) for node in self.graph.nodes)
        needs = "NumPy and ml_dtypes" if narrow else "NumPy alone"
        lines = [
            f'"""{self.name}: exported by {written_by()}; it needs {needs}.',
            "",
            "    import model",
            f"    model.{self.name}({arguments})",
        ]
        if self.graph.aliases:
            lines += [
                "",
                "Each call changes `state`; `save_state()` writes it to weights.npz.",
            ]
        lines += ['"""', "", *(f"import {m}" for m in imports), "from pathlib import Path", ""]
        lines += [
            "import numpy as np",
            *(["from ml_dtypes import bfloat16"] if narrow else []),
            "",
            'STATE = Path(__file__).resolve().parent / "weights.npz"',
        ]
        lines += [_LOAD_BFLOAT16 if narrow else _LOAD, "", _SAVE, ""]
        for function in functions:
            lines += ["", function, ""]
        return [*lines, ""]

    def _inputs(self, free: Sequence[Node]) -> None:
        """Arguments as arrays, sizes from their shapes, and what they must be."""
        scope = self.scope
        known: set[str] = set()
        for node in free:
            name, type_ = scope.names[node], tensor_type(node)
            dtype = name_of(type_.dtype)
            scope.add(f"{name} = argument({node.name!r}, {name}, {dtype}, {type_.rank})")
        for k, symbol in valued(free, self.graph.nodes):
            known.add(symbol.name)
            scope.add(f"{symbol.name} = int({scope.names[free[k]]})")
        for node in free:
            for axis, size in enumerate(tensor_type(node).shape):
                self._size(f"{scope.names[node]}.shape[{axis}]", size, known)
        for node in free:
            name = scope.names[node]
            scope.add(f"expect({node.name!r}, {name}, {_tuple(tensor_type(node).shape)})")
        values = values_of(self.graph.nodes).values()
        for symbol in sorted({*_declared(free), *values}, key=lambda s: s.name):
            self._facts(symbol)

    def _size(self, place: str, size: Size, known: set[str]) -> None:
        """Bind the one unknown symbol of a size that is linear in it."""
        unknown = [s for s in dims.symbols(size) if s.name not in known]
        if len(unknown) != 1:
            return
        slope = dims.substitute(size, {unknown[0]: 1}) - dims.substitute(size, {unknown[0]: 0})
        offset = dims.substitute(size, {unknown[0]: 0})
        if size != slope * dims.symbol(unknown[0]) + offset or not isinstance(slope, int):
            return
        if not isinstance(offset, int):
            return
        value = place if offset == 0 else f"({place} - {offset})"
        known.add(unknown[0].name)
        self.scope.add(f"{unknown[0].name} = {value if slope == 1 else f'{value} // {slope}'}")

    def _facts(self, symbol: Symbol) -> None:
        checks = [f"{symbol.name} < {symbol.min}"] if symbol.min or symbol.is_value else []
        checks += [f"{symbol.name} > {symbol.max}"] if symbol.max is not None else []
        if symbol.multiple_of != 1:
            checks.append(f"{symbol.name} % {symbol.multiple_of} != 0")
        if checks:
            self.scope.add(f"if {' or '.join(checks)}:")
            self.scope.add(f'{TAB}raise ValueError(f"{symbol.name} = {{{symbol.name}}}")')

    def _outputs(self) -> None:
        """State changed, all at once, and results returned in their form."""
        scope = self.scope
        aliased = dict(self.graph.aliases)
        values = [f"result({scope.names[o]})" for o in self.graph.outputs]
        found = [v for k, v in enumerate(values) if k not in aliased]
        if self.call is None:
            returned = _restored(self.program._build.layout.tree, [*found])
        else:
            ways = {"out": found.__getitem__, "state": "state[{!r}]".format, "value": repr}
            leaves = [ways[how](what) for how, what in self.call.results]  # type: ignore[operator]
            returned = _restored(self.call.tree, leaves)
        if not aliased:
            scope.add(f"return {returned}")
            return
        # A result may be the old value of a state.
        scope.add(f"returned = {returned}" if found or self.call else "returned = ()")
        changed = [
            f"{self._state_name(self.graph.inputs[place])!r}: {values[position]},"
            for position, place in self.graph.aliases
        ]
        scope.add("state.update({")
        for line in changed:
            scope.add(f"{TAB}{line}")
        scope.add("})")
        scope.add("return returned")


def _has_bfloat16(node: Node) -> bool:
    """Whether a node, or one inside it, has elements of bfloat16."""
    if any(_has_bfloat16(inner) for body in bodies(node).values() for inner in body.nodes):
        return True
    return getattr(node.type, "dtype", None) is dtypes.bfloat16


def _declared(nodes: Sequence[Node]) -> set[Symbol]:
    return {s for node in nodes for size in tensor_type(node).shape for s in dims.symbols(size)}


def _tuple(items: Sequence[Any]) -> str:
    inside = ", ".join(map(str, items))
    return f"({inside},)" if len(items) == 1 else f"({inside})"


def _documented(graph: Graph, free: Sequence[Node], names: Sequence[str]) -> list[str]:
    """The function's docstring: what it takes and gives."""
    aliased = dict(graph.aliases)
    lines = [f'{TAB}"""The program {graph.name}.', ""]
    if free:
        lines += [f"{TAB}Args:"]
        lines += [f"{TAB * 2}{name}: {_described(n.type)}." for name, n in zip(names, free)]
        lines.append("")
    results = [o for k, o in enumerate(graph.outputs) if k not in aliased]
    lines += [f"{TAB}Returns:"]
    lines += [f"{TAB * 2}{_described(o.type)}." for o in results] or [f"{TAB * 2}nothing."]
    return [*lines, f'{TAB}"""']


def _described(type_: Any) -> str:
    shape = f" of shape {_tuple(type_.shape)}" if type_.shape else " scalar"
    return f"{type_.dtype.name}{shape}"


def _restored(tree: Tree, leaves: list[str]) -> str:
    """A nested result; leaves are taken from the front of the list."""
    if tree.form is None:
        return leaves.pop(0)
    if tree.form is type(None):
        return "None"
    parts = [_restored(part, leaves) for part in tree.parts]
    if not issubclass(tree.form, list | tuple):
        return "{" + ", ".join(f"{k!r}: {v}" for k, v in zip(tree.keys, parts)) + "}"
    return f"[{', '.join(parts)}]" if issubclass(tree.form, list) else _tuple(parts)


_LOAD = '''

def load_state(path=STATE):
    """Parameters, buffers and other state by name, as they were saved."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
'''
_LOAD_BFLOAT16 = '''

def load_state(path=STATE):
    """Parameters, buffers and other state by name, as they were saved."""
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    # A file of NumPy's keeps bfloat16 as two bytes of no dtype.
    return {k: v.view(bfloat16) if v.dtype == "V2" else v for k, v in found.items()}
'''
_SAVE = '''
def save_state(path=STATE):
    """Write the state as it is now."""
    np.savez(path, **state)


state = load_state()'''

__all__ = ["export"]

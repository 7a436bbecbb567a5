"""Programs as C: a source file and a header, with no dependency but the standard library.

    gc.jit.export(predict, "exported", format="c")
    exported/predict.c     plain loops, one function a kernel; the weights
    exported/predict.h     what a caller needs

    float y[10]; void *arena = malloc(predict_arena_bytes());
    int failed = predict(x, y, arena);      /* 0, or the number of a check: predict_error(failed) */

One translation unit of C99. Memory is planned: what is never alive at one time lies in one place
of the arena that the caller gives; sizes that are symbolic are arguments. A result differs from
the program's by what the C library's exp, tanh ... and another order of sums make.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.core.access import access
from graphc.core.dims import Dim
from graphc.core.dtypes import is_float
from graphc.core.ir import Graph, Node, caller, tensor_type
from graphc.core.results import value_of
from graphc.core.types import shape_symbols
from graphc.errors import ArgumentError
from graphc.jit.archive.archive_source import Source
from graphc.jit.archive.manifest import written_by
from graphc.jit.export.c_helpers import Helpers
from graphc.jit.export.c_kernel import C_TYPES, in_c, refuse
from graphc.jit.export.c_lowering import Plain
from graphc.ops.source import Bound, Parameter
from graphc.passes.memory.plan import plan
from graphc.runtime.base import homes as places
from graphc.runtime.base.homes import Copy, External, Held
from graphc.runtime.base.step import Number, Site, StatusBlock, Value, Workspace
from graphc.runtime.lower import lower

_KEYWORDS = frozenset(
    (
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else"),
        *("enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register"),
        *("restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch"),
        *("typedef", "union", "unsigned", "void", "volatile", "while"),
        *("args", "arena", "status", "base", "main", "larger", "smaller", "floored", "left_over"),
    )
)
_HEAD = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
"""
_SIZES = """\
static int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }
static int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t floored(int64_t x, int64_t y) {
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
static int64_t left_over(int64_t x, int64_t y) { return x - floored(x, y) * y; }
"""


def texts(source: Source, is_embedded: bool) -> tuple[str, str, str, bytes]:
    """A program's name, its C file, its header, and its weights where they are beside it.

    Raises:
        ArgumentError: something in it has no form in C.
    """
    try:
        unit = _Unit(source, is_embedded)
        return unit.name, unit.source(), unit.header(), unit.weights()
    except ArgumentError as error:
        raise ArgumentError(
            f"export: {error.what}", error.details, where=caller(),
            hint=error.hint or 'format="numpy" may have one',
        ) from None  # fmt: skip


class _Unit:
    """One program as a translation unit."""

    def __init__(self, source: Source, is_embedded: bool) -> None:
        build = source.program._build
        if build.layout.given:
            raise ArgumentError(
                "the program has values for inputs that calls need not give: "
                f"{', '.join(build.layout.given)}"
            )
        self.graph: Graph = build.history[-1][1]
        self.name = source.program.graph.name
        self.is_embedded = is_embedded
        self.helpers = Helpers()
        steps = lower(self.graph, Plain())
        for step in steps:
            refuse(step.kernel)
        self.homes = places.settle(self.graph, steps)
        self.bound = [n for n in self.graph.inputs if isinstance(n, Bound)]
        self.free = [n for n in self.graph.inputs if not isinstance(n, Bound)]
        aliased = dict(self.graph.aliases)
        self.outputs = [o for k, o in enumerate(self.graph.outputs) if k not in aliased]
        self.sizes = sorted(
            {s.name for n in self.free for s in shape_symbols(tensor_type(n).shape)}
        )
        self.taken = {*_KEYWORDS, *self.sizes}
        self.symbols = {s: s if s not in _KEYWORDS else f"{s}_" for s in self.sizes}
        count = len(self.outputs)
        names = [n.name for n in self.free]
        names += ["out" if count == 1 else f"out{k}" for k in range(count)]
        self.externals = [self._unique(n) for n in names]
        self.states = {n.state: self._unique(f"{self.name}_{n.name}") for n in self.bound}
        self.sites: dict[Node, int] = {}
        self.offsets: dict[Any, str] = {}
        self.total = "0"
        self._place()

    def _unique(self, wanted: str) -> str:
        name = wanted if wanted.isascii() and wanted.isidentifier() else "value"
        while name in self.taken or keyword.iskeyword(name):
            name += "_"
        self.taken.add(name)
        return name

    # --- memory

    def _place(self) -> None:
        """Where everything in the arena lies: what is never alive at one time shares a slot."""
        workspaces: dict[Node, dict[str, Any]] = {}
        for step in self.homes.steps:
            for argument in () if isinstance(step, Copy) else step.args:
                if isinstance(argument, Workspace):
                    workspaces.setdefault(argument.node, {})[argument.key] = argument.nbytes
        planned = {h.key: h for h in self.homes.of.values() if isinstance(h, places.Planned)}
        memory = plan(
            self.graph, {n: list(w.items()) for n, w in workspaces.items()}, list(planned)
        )
        if not self.sizes:
            placement = memory.place({})
            self.offsets = {b.key: str(o) for b, o in zip(memory.buffers, placement.offsets)}
            end = -(-placement.total // 64) * 64
            self._stage(str(end))
            return
        slots: list[tuple[int, list[str]]] = []
        place: dict[Any, int] = {}
        for buffer in sorted(memory.buffers, key=lambda b: b.first):
            size = f"({self._size(buffer.nbytes)} + 63) / 64 * 64"
            free = [k for k, (last, _) in enumerate(slots) if last < buffer.first]
            alike = [k for k in free if size in slots[k][1]]
            k = (alike or free or [len(slots)])[0]
            if k == len(slots):
                slots.append((0, []))
            known = slots[k][1]
            slots[k] = (buffer.last, known if size in known else [*known, size])
            place[buffer.key] = k
        starts, total = [], "0"
        for _, held in slots:
            starts.append(total)
            largest = held[0]
            for other in held[1:]:
                largest = f"larger({largest}, {other})"
            total = largest if total == "0" else f"{total} + {largest}"
        self.offsets = {key: starts[k] for key, k in place.items()}
        self._stage(total)

    def _stage(self, total: str) -> None:
        """Room of its own for whatever the plan does not know."""
        others = [
            h for step in self.homes.steps if isinstance(step, Copy)
            for h in (step.source, step.target) if isinstance(h, places.Staged)
        ]  # fmt: skip
        planned = [h for h in self.homes.of.values() if isinstance(h, places.Planned)]
        keys: dict[Any, Any] = {
            h.key: places.nbytes(*h.key) for h in planned if h.key not in self.offsets
        }
        keys |= {h: places.nbytes(h.node) for h in dict.fromkeys(others)}
        for key, nbytes in keys.items():
            self.offsets[key] = total
            total = f"{total} + ({self._size(nbytes)} + 63) / 64 * 64"
        self.total = total

    def _size(self, size: Any) -> str:
        """A size as an expression of C."""
        if callable(size) and not isinstance(size, Dim):
            raise ArgumentError(
                "a size is computed in a way that C's text has not", hint="export it of fixed sizes"
            )
        if not isinstance(size, Dim):
            return f"INT64_C({size})" if abs(size) >= 1 << 31 else str(size)
        return _sized(ast.parse(str(size), mode="eval").body, self.symbols)

    # --- the function

    def _pointer(self, home: Any) -> str:
        if isinstance(home, External):
            return f"(int64_t)(intptr_t){self.externals[home.position]}"
        if isinstance(home, Held):
            return f"(int64_t)(intptr_t){self.states[home.node.state]}"  # type: ignore[attr-defined]
        key = home.key if isinstance(home, places.Planned) else home
        return f"(int64_t)(intptr_t)(base + {self.offsets[key]})"

    def _argument(self, argument: Any) -> str:
        if isinstance(argument, Value):
            return self._pointer(self.homes.of[value_of(argument.node, argument.index)])
        if isinstance(argument, Number):
            return self._size(argument.size)
        if isinstance(argument, Workspace):
            return f"(int64_t)(intptr_t)(base + {self.offsets[argument.node, argument.key]})"
        if isinstance(argument, StatusBlock):
            return "(int64_t)(intptr_t)status"
        if isinstance(argument, Site):
            return str(self.sites.setdefault(argument.node, len(self.sites) + 1))
        raise TypeError(f"{argument!r} is no argument of a kernel")

    def source(self) -> str:
        """The C file."""
        body, kernels = [], dict[str, str]()
        for number, step in enumerate(self.homes.steps):
            if number == self.homes.commits_from and self.sites:
                body.append("    if (status[0] != 0) return (int)status[0];")
            body += self._step(step, kernels)
        if self.sites:
            body.append("    return (int)status[0];")
        head = [
            f"/* {self.name}: exported by {written_by()}. C99, the standard library alone. */",
            f'#include "{self.name}.h"', _HEAD, _SIZES, *self._data(),
            *self.helpers.texts.values(), *kernels.values(), *self._errors(),
            f"size_t {self.name}_arena_bytes({self._listed_sizes() or 'void'}) {{",
            f"    return (size_t)({self.total}) + 64;", "}",
            f"{self._prototype()} {{",
            "    int64_t status[8] = {0};",
            "    unsigned char *base = (unsigned char *)(((uintptr_t)arena + 63) / 64 * 64);",
            "    (void)base; (void)status; (void)larger; (void)smaller; (void)left_over;",
        ]  # fmt: skip
        end = [] if self.sites else ["    return 0;"]
        return "\n".join([*head, *body, *end, "}", ""])

    def _step(self, step: Any, kernels: dict[str, str]) -> list[str]:
        if isinstance(step, Copy):
            count = self._size(places.nbytes(step.node, step.index))
            target, source = self._pointer(step.target), self._pointer(step.source)
            return [
                f"    memmove((void *)(intptr_t){target}, (void *)(intptr_t){source}, {count});"
            ]
        args = ", ".join(self._argument(a) for a in step.args)
        text = in_c(step.kernel, self.helpers)
        name = f"{self.name}_{step.kernel.name}"
        while kernels.setdefault(name, text.replace(step.kernel.name, name, 1)) != text.replace(
            step.kernel.name, name, 1
        ):
            name += "_"
        extent = self._size(step.extent)
        return [
            f"    {{ const int64_t args[] = {{{args or 0}}};",
            f"      {name}(args, 0, {extent}); }}",
        ]

    def _data(self) -> list[str]:
        lines = []
        for node in {n.state: n for n in self.bound}.values():
            with access(reads=[node.state]):
                array = node.state.array.copy()
            type_, name = C_TYPES[tensor_type(node).dtype.short], self.states[node.state]
            how = "" if isinstance(node, Parameter) else "static "
            count = max(array.size, 1)
            given = f" = {{{_numbers(array)}}}" if self.is_embedded and array.size else ""
            lines.append(f"{how}{type_} {name}[{count}]{given};")
        return lines if self.is_embedded else [*lines, *self._loader()]

    def _loader(self) -> list[str]:
        parts = [f"fread({n}, 1, sizeof {n}, file) == sizeof {n}" for n in self.states.values()]
        return [
            "#include <stdio.h>", f"int {self.name}_load(const char *path) {{",
            '    FILE *file = fopen(path, "rb");', "    int is_read;", "    if (!file) return 1;",
            f"    is_read = {' && '.join(parts) or 1};", "    fclose(file);",
            "    return !is_read;", "}",
        ]  # fmt: skip

    def _errors(self) -> list[str]:
        """What the numbers of failed checks mean."""
        cases = [
            f"    if (number == {k}) return {_quoted(f'{n.op.name}: a value is out of range')};"
            for n, k in self.sites.items()
        ]
        head = f"const char *{self.name}_error(int number) {{"
        return [head, "    (void)number;", *cases, '    return "";', "}"]

    def _listed_sizes(self) -> str:
        return ", ".join(f"int64_t {self.symbols[s]}" for s in self.sizes)

    def _prototype(self) -> str:
        taken = [
            f"const {C_TYPES[tensor_type(n).dtype.short]} *{x}"
            for n, x in zip(self.free, self.externals)
        ]
        given = [
            f"{C_TYPES[tensor_type(o).dtype.short]} *{x}"
            for o, x in zip(self.outputs, self.externals[len(self.free) :])
        ]
        sizes = [self._listed_sizes()] if self.sizes else []
        return f"int {self.name}({', '.join([*taken, *given, *sizes, 'void *arena'])})"

    def header(self) -> str:
        """The header."""
        guard = f"{self.name.upper()}_H"
        shapes = [
            f"   {x}: {_described(n.type)}" for n, x in zip(
                [*self.free, *self.outputs], self.externals)
        ]  # fmt: skip
        states = [
            f"extern {C_TYPES[tensor_type(n).dtype.short]} {self.states[n.state]}"
            f"[{max(n.state.array.size, 1)}];  /* {_described(n.type)} */"
            for n in {n.state: n for n in self.bound}.values()
            if isinstance(n, Parameter)
        ]
        load = [] if self.is_embedded else [
            "/* Read the weights; 0 where all were read. Before the first call. */",
            f"int {self.name}_load(const char *path);",
        ]  # fmt: skip
        lines = [
            f"#ifndef {guard}", f"#define {guard}", "#include <stddef.h>", "#include <stdint.h>",
            "#ifdef __cplusplus", 'extern "C" {', "#endif",
            "/* Arrays in row-major order; float16 and bfloat16 as their bits.", *shapes,
            "   arena: so many bytes as arena_bytes says, for one call at a time.",
            "   Returns 0, or the number of a check that failed; then no state was written. */",
            f"{self._prototype()};",
            f"size_t {self.name}_arena_bytes({self._listed_sizes() or 'void'});",
            f"const char *{self.name}_error(int number);", *load, *states,
            "#ifdef __cplusplus", "}", "#endif", "#endif", "",
        ]  # fmt: skip
        return "\n".join(lines)

    def weights(self) -> bytes:
        """The weights, one after the other, where they are not in the C file."""
        if self.is_embedded:
            return b""
        with access(reads=list(self.states)):
            arrays = [state.array.copy() for state in self.states]
        return b"".join(a.tobytes() or bytes(a.dtype.itemsize) for a in arrays)


def _described(type_: Any) -> str:
    return f"{type_.dtype.name}[{', '.join(map(str, type_.shape))}]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _numbers(array: np.ndarray) -> str:
    """The elements of an array as C writes them, exactly."""
    flat = array.reshape(-1)
    if is_float(array.dtype) and array.dtype.itemsize > 2:
        end = "f" if array.dtype.itemsize == 4 else ""
        return ", ".join(_float(v, end) for v in flat.tolist())
    if is_float(array.dtype):
        flat = flat.view(np.uint16)
    if array.dtype == np.uint64:
        return ", ".join(f"{v}u" for v in flat.tolist())
    return ", ".join(_constant(int(v)) for v in flat.tolist())


def _constant(value: int) -> str:
    return "INT64_MIN" if value == -(1 << 63) else str(value)


def _float(value: float, end: str) -> str:
    if value != value:
        return "NAN"
    if value in (float("inf"), float("-inf")):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{value!r}{end}" if value == int(value) and abs(value) < 1e6 else f"{value.hex()}{end}"


def _sized(node: Any, symbols: Mapping[str, str]) -> str:
    """An expression of sizes, as they print, in C."""
    again: Callable[[Any], str] = lambda part: _sized(part, symbols)  # noqa: E731
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return symbols[node.id]
    if isinstance(node, ast.UnaryOp):
        return f"(-{again(node.operand)})"
    if isinstance(node, ast.BinOp):
        x, y = again(node.left), again(node.right)
        named = {ast.FloorDiv: "floored", ast.Mod: "left_over"}.get(type(node.op))
        if named:
            return f"{named}({x}, {y})"
        return f"({x} {({ast.Add: '+', ast.Sub: '-', ast.Mult: '*'})[type(node.op)]} {y})"
    if isinstance(node, ast.Call):
        named = {"max": "larger", "min": "smaller"}[node.func.id]  # type: ignore[attr-defined]
        text = again(node.args[0])
        for other in node.args[1:]:
            text = f"{named}({text}, {again(other)})"
        return text
    raise ArgumentError(f"the size {ast.unparse(node)} has no form in C")


__all__ = ["texts"]

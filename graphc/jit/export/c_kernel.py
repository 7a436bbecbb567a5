"""Kernels as C: one printer for the kernel language, so that every op has a form in C at once.

    def scale(args, lo, hi):                 static void scale(const int64_t *args, ...) {
        x = buffer(args, 0, f32)                 float *x = (float *)(intptr_t)args[0];
        for i in range(lo, hi):                  for (int64_t i = lo, end = hi; i < end; i += 1) {
            x[i] = x[i] * f32(2.0)                   x[i] = (x[i] * (float)2.0);

Every scalar has a type, found as Numba finds it: arithmetic of integers is that of 64 bits and
wraps; a float16 or bfloat16 is a float, rounded where it is stored. Indices (`ix`) are int64 that
do not overflow. What the language's functions are: `c_helpers`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from graphc.core import dtypes
from graphc.errors import ArgumentError
from graphc.jit.export.c_helpers import Helpers
from graphc.runtime.base.kernel import Kernel

C_TYPES = {
    "b1": "uint8_t", "f16": "uint16_t", "bf16": "uint16_t", "f32": "float", "f64": "double",
    **{f"i{n}": f"int{n}_t" for n in (8, 16, 32, 64)},
    **{f"u{n}": f"uint{n}_t" for n in (8, 16, 32, 64)},
    "ix": "int64_t",
}  # fmt: skip
NARROW = ("f16", "bf16")
_FLOATS = ("f32", "f64")
_SYMBOLS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|",
    ast.BitXor: "^", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==",
    ast.NotEq: "!=", ast.And: "&&", ast.Or: "||",
}  # fmt: skip
# What a kernel of another language does.
_BEYOND_C = {"machine": "is a loop or a branch, or prints", "library": "calls LAPACK"}
Typed = tuple[str, str]


def refuse(kernel: Kernel) -> None:
    """Let kernels of the kernel language by.

    Raises:
        ArgumentError: it is of another language.
    """
    if kernel.language != "kernel":
        raise ArgumentError(f"the kernel {kernel.name} {_BEYOND_C[kernel.language]}")


def in_c(kernel: Kernel, helpers: Helpers) -> str:
    """The C function of a kernel that `refuse` lets by; what it calls is noted in `helpers`.

    Raises:
        ArgumentError: it does what has no form in C.
    """
    definition = ast.parse(kernel.source).body[-1]
    return _Function(kernel.name, definition, helpers).text()


def declared(name: str, type_: str) -> str:
    """A variable's declaration."""
    if type_.startswith("p:"):
        return f"{C_TYPES[type_[2:]]} *{name} = 0;"
    return f"{C_TYPES[type_]} {name} = 0;"


class _Function:
    """Prints one kernel."""

    def __init__(self, name: str, definition: Any, helpers: Helpers) -> None:
        self.name, self.definition, self.helpers = name, definition, helpers
        self.types: dict[str, str] = {"lo": "ix", "hi": "ix"}
        names = [n for n in ast.walk(definition) if isinstance(n, ast.Name)]
        counters = {n.target.id for n in ast.walk(definition) if isinstance(n, ast.For)}  # type: ignore[attr-defined]
        stored = [n.id for n in names if isinstance(n.ctx, ast.Store) and n.id in counters]
        turns = [n.target.id for n in ast.walk(definition) if isinstance(n, ast.For)]  # type: ignore[attr-defined]
        # Counters of loops that are variables besides are declared with these.
        self.loops = {name for name in counters if stored.count(name) == turns.count(name)}
        self.arrays: list[str] = []
        self.lines: list[str] = []

    def text(self) -> str:
        """The function's definition."""
        self._block(self.definition.body, 1)
        plain = [n for n in self.types if n not in ("lo", "hi") and n not in self.loops]
        tops = [f"    {declared(n, self.types[n])}" for n in plain if self.types[n][:2] != "a:"]
        noted = ["args", "lo", "hi", *(n for n in self.types if n not in {"lo", "hi"} | self.loops)]
        unused = [f"    {' '.join(f'(void){n};' for n in noted)}"]
        head = f"static void {self.name}(const int64_t *args, int64_t lo, int64_t hi) {{"
        return "\n".join([head, *tops, *self.arrays, *unused, *self.lines, "}"])

    def _refuse(self, what: str) -> ArgumentError:
        return ArgumentError(f"the kernel {self.name} has {what}, which has no form in C")

    def _line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _block(self, statements: Sequence[ast.stmt], depth: int) -> None:
        for statement in statements:
            self._statement(statement, depth)

    def _statement(self, node: Any, depth: int) -> None:
        if isinstance(node, ast.Assign):
            self._assign(node.targets[0], node.value, depth)
        elif isinstance(node, ast.AugAssign):
            self._assign(node.target, ast.BinOp(_loaded(node.target), node.op, node.value), depth)
        elif isinstance(node, ast.For):
            self._for(node, depth)
        elif isinstance(node, ast.While):
            self._line(depth, f"while ({self._value(node.test)[0]}) {{")
            self._block(node.body, depth + 1)
            self._line(depth, "}")
        elif isinstance(node, ast.If):
            self._line(depth, f"if ({self._value(node.test)[0]}) {{")
            self._block(node.body, depth + 1)
            if node.orelse:
                self._line(depth, "} else {")
                self._block(node.orelse, depth + 1)
            self._line(depth, "}")
        elif isinstance(node, ast.Break | ast.Continue):
            self._line(depth, "break;" if isinstance(node, ast.Break) else "continue;")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._line(depth, f"{self._value(node.value)[0]};")
        elif not isinstance(node, ast.Pass | ast.Expr):
            raise self._refuse(f"a {type(node).__name__} statement")

    def _for(self, node: Any, depth: int) -> None:
        name = node.target.id
        given = [self._value(a)[0] for a in node.iter.args]
        first, last, by = ("0", *given, "1") if len(given) == 1 else (*given, "1")[:3]
        known = self.types.setdefault(name, "ix")
        if known != "ix":
            raise self._refuse(f"the loop variable {name} of type {known}")
        at = name if name in self.loops else f"{name}_at"
        bounds = f"int64_t {at} = {first}, {name}_end = {last}"
        self._line(depth, f"for ({bounds}; {at} < {name}_end; {at} += {by}) {{")
        if at != name:
            self._line(depth + 1, f"{name} = {at};")
        self._block(node.body, depth + 1)
        self._line(depth, "}")

    def _assign(self, target: Any, value: Any, depth: int) -> None:
        if isinstance(target, ast.Tuple):
            found = [self._value(v) for v in value.elts]
            names = [f"t{k}" for k in range(len(found))]
            self._line(depth, "{")
            for name, (text, type_) in zip(names, found):
                self._line(depth + 1, f"{C_TYPES[type_]} {name} = {text};")
            for each, name, (_, type_) in zip(target.elts, names, found):
                self._store(each, (name, type_), depth + 1)
            self._line(depth, "}")
            return
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "local":
            dtype = value.args[1].id  # type: ignore[attr-defined]
            self.types[target.id] = f"a:{dtype}"
            count = ast.unparse(value.args[0])
            self.arrays.append(f"    {C_TYPES[dtype]} {target.id}[{count}];")
            return
        self._store(target, self._value(value), depth)

    def _store(self, target: Any, value: Typed, depth: int) -> None:
        text, type_ = value
        if isinstance(target, ast.Subscript):
            buffer, held = self._value(target.value)
            index = self._value(target.slice)[0]
            dtype = held[2:]
            text = f"{self.helpers.use('bits', dtype)}({text})" if dtype in NARROW else text
            text = f"(uint8_t)({text} != 0)" if dtype == "b1" and type_ != "b1" else text
            self._line(depth, f"{buffer}[{index}] = {text};")
            return
        known = self.types.setdefault(target.id, type_)
        if known != type_ and _joined(known, type_) != known:
            self.types[target.id] = _joined(known, type_)
        self._line(depth, f"{target.id} = {text};")

    # --- expressions

    def _value(self, node: Any) -> Typed:
        """An expression's text and type."""
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.Name):
            if node.id in ("inf", "nan"):
                return {"inf": "(double)INFINITY", "nan": "(double)NAN"}[node.id], "f64"
            if node.id not in self.types:
                raise self._refuse(f"{node.id!r} before it is assigned")
            return node.id, self.types[node.id]
        if isinstance(node, ast.Subscript):
            return self._element(node)
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node.op, self._value(node.left), self._value(node.right))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BoolOp):
            parts = [self._value(v)[0] for v in node.values]
            return "(" + f" {_SYMBOLS[type(node.op)]} ".join(parts) + ")", "b1"
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.IfExp):
            x, y = self._value(node.body), self._value(node.orelse)
            return f"({self._value(node.test)[0]} ? {x[0]} : {y[0]})", _joined(x[1], y[1])
        if isinstance(node, ast.Call):
            return self._called(node)
        raise self._refuse(f"a {type(node).__name__}")

    def _element(self, node: Any) -> Typed:
        index = self._value(node.slice)[0]
        if getattr(node.value, "id", "") == "args":
            return f"args[{index}]", "ix"
        buffer, held = self._value(node.value)
        dtype = held[2:]
        if dtype in NARROW:
            return f"{self.helpers.use('value', dtype)}({buffer}[{index}])", "f32"
        return f"{buffer}[{index}]", dtype

    def _arithmetic(self, op: Any, left: Typed, right: Typed) -> Typed:
        (x, a), (y, b) = left, right
        symbol = _SYMBOLS.get(type(op))
        if symbol is None:
            raise self._refuse(f"{type(op).__name__} of numbers")
        if symbol in "&|^":
            type_ = "b1" if a == b == "b1" else _wide(a, b)
            return f"({x} {symbol} {y})", type_
        if a in _FLOATS or b in _FLOATS or symbol == "/":
            type_ = "f32" if a == b == "f32" else "f64"
            cast = C_TYPES[type_]
            x = x if a == type_ else f"({cast}){x}"
            y = y if b == type_ else f"({cast}){y}"
            return f"({x} {symbol} {y})", type_
        if a == b == "ix":
            return f"({x} {symbol} {y})", "ix"
        type_ = _wide(a, b)
        return f"({C_TYPES[type_]})((uint64_t){x} {symbol} (uint64_t){y})", type_

    def _unary(self, node: Any) -> Typed:
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            number: Any = node.operand.value
            return _constant(-number)
        text, type_ = self._value(node.operand)
        if isinstance(node.op, ast.Not):
            return f"(!{text})", "b1"
        if isinstance(node.op, ast.Invert):
            return (f"(!{text})", "b1") if type_ == "b1" else (f"(~{text})", _wide(type_, type_))
        if type_ in (*_FLOATS, "ix"):
            return f"(-{text})", type_
        return f"({C_TYPES[_wide(type_, type_)]})(0 - (uint64_t){text})", _wide(type_, type_)

    def _compared(self, node: Any) -> Typed:
        values = [node.left, *node.comparators]
        parts = []
        for op, left, right in zip(node.ops, values, values[1:]):
            x, y = self._value(left)[0], self._value(right)[0]
            parts.append(f"({x} {_SYMBOLS[type(op)]} {y})")
        return (parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"), "b1"

    def _called(self, node: Any) -> Typed:
        name = node.func.id
        if name in ("buffer", "buffer_at"):
            dtype = node.args[2].id
            place = self._value(node.args[1])[0]
            return f"({C_TYPES[dtype]} *)(intptr_t)args[{place}]", f"p:{dtype}"
        if name == "number_at":
            place, dtype = self._value(node.args[1])[0], node.args[2].id
            return f"{self.helpers.use('number_at', dtype)}(args[{place}])", dtype
        values = [self._value(a) for a in node.args]
        if name in C_TYPES:
            return self._cast(name, *values[0])
        if name in ("select", "either"):
            (test, _), (x, a), (y, b) = values
            if a[:2] in ("p:", "a:"):
                return f"({test} ? {x} : {y})", f"p:{a[2:]}"
            return f"({test} ? {x} : {y})", _joined(a, b)
        if name == "fail":
            return f"{self.helpers.use('fail', '')}({', '.join(v for v, _ in values)})", "ix"
        return self._function(name, values)

    def _cast(self, dtype: str, text: str, type_: str) -> Typed:
        if dtype in NARROW:
            return f"{self.helpers.use('rounded', dtype)}((float){text})", "f32"
        if dtype == "b1":
            return (text, "b1") if type_ == "b1" else (f"(uint8_t)({text} != 0)", "b1")
        if type_ in _FLOATS and dtype not in _FLOATS:
            by = "uint64_t" if dtype == "u64" else "int64_t"
            return f"({C_TYPES[dtype]})({by}){text}", dtype
        return f"({C_TYPES[dtype]}){text}", dtype

    def _function(self, name: str, values: Sequence[Typed]) -> Typed:
        types = [t for _, t in values]
        type_ = types[0]
        for other in types[1:]:
            type_ = _joined(type_, other)
        found = self.helpers.function(name, type_, types[0])
        if found is None:
            raise self._refuse(name)
        called, result = found
        return f"({called}({', '.join(text for text, _ in values)}))", result


def _loaded(target: Any) -> Any:
    """A target as what is read."""
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    return ast.Subscript(target.value, target.slice, ast.Load())


def _constant(value: Any) -> Typed:
    if isinstance(value, bool):
        return str(int(value)), "b1"
    if isinstance(value, float):
        text = repr(value)
        return (f"({text})" if value < 0 else text), "f64"
    if value == -(1 << 63):
        return "INT64_MIN", "ix"
    if value >= 1 << 63:
        return f"UINT64_C({value})", "u64"
    if abs(value) >= 1 << 31:
        return (f"INT64_C({value})" if value >= 0 else f"(-INT64_C({-value}))"), "ix"
    return (str(value) if value >= 0 else f"({value})"), "ix"


def _wide(a: str, b: str) -> str:
    """The type of integer arithmetic."""
    unsigned = {"u8", "u16", "u32", "u64"}
    return "u64" if {a, b} <= unsigned or {a, b} == {"u64", "ix"} else "i64"


def _joined(a: str, b: str) -> str:
    """The one type of two values, one of which is chosen or which a function takes."""
    if a == b:
        return a
    if a in _FLOATS or b in _FLOATS:
        return "f64" if "f64" in (a, b) and a in _FLOATS and b in _FLOATS else (
            a if a in _FLOATS else b
        )  # fmt: skip
    if "ix" in (a, b):
        other = b if a == "ix" else a
        return "ix" if other == "b1" else other
    order = [d.short for d in dtypes.ALL]
    return max(a, b, key=lambda t: (t[1:], order.index(t))) if a[0] == b[0] else "i64"


__all__ = ["C_TYPES", "in_c"]

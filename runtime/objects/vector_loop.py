"""One loop over consecutive elements, written as a loop over vectors: source to source.

    for i2 in range(1000):                      v4_all = splat(64, f32(0))
        v5 = p0[i0 * 1000 + i2]                 for i2 in range(0, 960, 64):
        v6 = exp(v5 - v3)                           v5 = load_lanes(64, p0, i0 * 1000 + i2)
        t0[i2] = v6                        ->       v6 = exp(v5 - splat(64, v3))
        v4 = add_any_order(v4, v6)                  store_lanes(t0, i2, v6)
                                                    v4_all = add_any_order(v4_all, v6)
                                                i2 = 960
                                                ...     the same for the first 40 lanes
                                                v4 = v4 + the sum of v4_all

What a loop may have in it for that is asked here; which loops gain by it, `vectors` says.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphc.runtime.base.lanes import lanes

# Vectors of this many registers: as many independent chains.
REGISTERS = 4
LINE = 64  # bytes that memory moves at once
CASTS = ("f32", "f64", "b1")
ACCUMULATING = ("add_any_order", "multiply_any_order", "larger_number", "smaller_number")
NEUTRAL = {"add_any_order": 0, "multiply_any_order": 1}
# What makes a row worth it: long chains of steps.
CHAINS = frozenset(
    ("exp", "exp2", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "logaddexp")
)
# Straight-line functions of floats.
FLOATS = CHAINS | {
    "sqrt", "rsqrt", "reciprocal", "absolute", "floor", "ceil", "trunc", "rint", "sign", "maximum",
    "minimum", "fmax", "fmin", "copysign", "lost",
}  # fmt: skip
TESTS = ("isnan", "isinf", "isfinite")
# Of doubles, the C library's: no formula of vectors.
OF_LIBRARY = {"f32": (), "f64": ("erf",)}


@dataclass(frozen=True)
class Refused(Exception):
    """Why a loop stays as it is."""

    reason: str


@dataclass
class Types:
    """The dtypes of buffers and of scalar variables, as far as they are known."""

    buffers: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, str] = field(default_factory=dict)
    reads: Counter[str] = field(default_factory=Counter)  # how often each name is read
    memory: set[str] = field(default_factory=set)  # buffers that are not scratch

    def note(self, statement: ast.stmt) -> None:
        """Learn from an assignment."""
        match statement:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name(maker), arguments)) if maker in (
                "buffer", "buffer_at", "local"
            ):  # fmt: skip
                dtype = next((a.id for a in arguments if isinstance(a, ast.Name)
                              and a.id != "args"), "")  # fmt: skip
                self.buffers[name] = dtype
                if maker != "local":
                    self.memory.add(name)
            case ast.Assign([ast.Name(name)], value):
                self.scalars[name] = self.of(value)

    def of(self, value: ast.expr) -> str:
        """The dtype of an expression; "" where it is not known."""
        match value:
            case ast.Name(name):
                return self.scalars.get(name, "")
            case ast.Subscript(ast.Name(name)):
                return self.buffers.get(name, "")
            case ast.Call(ast.Name(name)) if name in CASTS:
                return name
            case ast.Call(ast.Name("select"), [_, x, _]):
                return self.of(x)
            case ast.Call(ast.Name(name), [x, *_]) if name in FLOATS or name in ACCUMULATING:
                return self.of(x)
            case ast.Call(ast.Name(name)) if name in TESTS:
                return "b1"
            case ast.Compare():
                return "b1"
            case ast.BinOp(x, _, y):
                return self.of(x) if self.of(x) == self.of(y) else ""
            case ast.UnaryOp(ast.USub(), x):
                return self.of(x)
        return ""


def reads_of(tree: ast.AST) -> Iterator[str]:
    """The names that a tree reads, as often as it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id


def _name(text: str) -> ast.Name:
    return ast.Name(text, ast.Load())


def _call(name: str, *arguments: ast.expr | int) -> ast.Call:
    values = [ast.Constant(a) if isinstance(a, int) else a for a in arguments]
    return ast.Call(_name(name), values, [])


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


class VectorLoop:
    """One loop over elements, as one over vectors."""

    def __init__(self, loop: ast.For, types: Types) -> None:
        assert isinstance(loop.target, ast.Name)
        self.loop, self.types, self.index = loop, types, loop.target.id
        self.first, self.last = self._range()
        self.accumulators: dict[str, str] = {}
        self.own: set[str] = set()
        self.part: ast.expr | None = None
        self.main = ast.For(self.loop.target, self.loop.iter, [], [], None)
        self._learn()

    @property
    def chains(self) -> int:
        """How many functions a turn has that are long chains of steps."""
        calls = (n.func for n in ast.walk(self.loop) if isinstance(n, ast.Call))
        return sum(isinstance(f, ast.Name) and f.id in CHAINS for f in calls)

    def prefetch(self, buffer: str, index: ast.expr) -> None:
        """Ask for the lines of a buffer from an index on, as many as a vector has."""
        elements = LINE // (4 if self.dtype == "f32" else 8)
        for k in range(0, self.count, elements):
            at = ast.BinOp(index, ast.Add(), ast.Constant(k)) if k else index
            asked = ast.Expr(_call("prefetch", _name(buffer), at))
            self.main.body.insert(0, ast.fix_missing_locations(ast.copy_location(asked, self.loop)))

    def _range(self) -> tuple[ast.expr, ast.expr]:
        match self.loop.iter:
            case ast.Call(ast.Name("range"), [last]):
                return ast.Constant(0), last
            case ast.Call(ast.Name("range"), [first, last]):
                return first, last
        raise Refused("its turns are not one after the other")

    def _learn(self) -> None:
        """Find what is accumulated, the dtype, and what is stored where."""
        before: set[str] = set()
        for statement in self.loop.body:
            before |= {*reads_of(statement)} - self.own
            match statement:
                case ast.Assign([ast.Name(name)], value):
                    self._learn_variable(name, value)
                case ast.Assign([ast.Subscript()]):
                    pass
                case _:
                    raise Refused("a statement that is no assignment")
            self.types.note(statement)
        if goes := before & self.own:
            raise Refused(f"{', '.join(sorted(goes))} goes from turn to turn")
        reads = Counter(reads_of(self.loop))
        for name in self.accumulators:
            if reads[name] > 1:
                raise Refused(f"{name} is read while it is summed up")
        for name in self.own:
            if reads[name] < self.types.reads[name]:
                raise Refused(f"{name} is read after the loop")
        self.dtype = self._dtype()
        self.count = REGISTERS * lanes(self.dtype)
        turns = self._turns()
        if turns is not None and turns < self.count:
            raise Refused("it is short")
        self._ask_stores()

    def _learn_variable(self, name: str, value: ast.expr) -> None:
        match value:
            case ast.Call(ast.Name(step), [ast.Name(first), _]) if (
                step in ACCUMULATING and first == name
            ):
                self.accumulators[name] = step
            case ast.BinOp(ast.Name(first), ast.BitOr(), _) if first == name:
                self.accumulators[name] = "or"
            case _:
                if name in self.own or any(
                    isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)
                ):
                    raise Refused(f"{name} goes from turn to turn")
                self.own.add(name)

    def _turns(self) -> int | None:
        match self.first, self.last:
            case ast.Constant(int(first)), ast.Constant(int(last)):
                return last - first
        return None

    def _dtype(self) -> str:
        found = {self.types.scalars[n] for n in (*self.own, *self.accumulators)}
        found |= {self.types.buffers.get(b, "") for b, _ in self.accesses()}
        floats = found - {"b1"}
        if floats not in ({"f32"}, {"f64"}):
            raise Refused(f"it has {', '.join(sorted(found))}")
        return floats.pop()

    def accesses(self, stores: bool | None = None) -> list[tuple[str, ast.expr]]:
        """The buffer and index of each access."""
        found = []
        for node in (n for s in self.loop.body for n in ast.walk(s)):
            match node:
                case ast.Subscript(ast.Name(buffer), index, context):
                    if stores is None or stores is isinstance(context, ast.Store):
                        found.append((buffer, index))
        return found

    def _ask_stores(self) -> None:
        """Refuse where an element that is written may be read in another turn."""
        written = {}
        for buffer, index in self.accesses(stores=True):
            if self.types.buffers.get(buffer) != self.dtype:
                raise Refused("it writes truth values")
            if self._step(index) != 1 or buffer in written:
                raise Refused(f"{buffer} is not written one element after the other")
            written[buffer] = ast.dump(index)
        for buffer, index in self.accesses(stores=False):
            if buffer in written and written[buffer] != ast.dump(index):
                raise Refused(f"{buffer} is read elsewhere than written")

    def _step(self, index: ast.expr) -> int | None:
        """By how much an index grows from turn to turn, if evenly."""
        match index:
            case ast.Name(name) if name == self.index:
                return 1
            case ast.BinOp(x, ast.Add() | ast.Sub(), y):
                a, b = self._step(x), self._step(y)
                if a is None or b is None:
                    return None
                return a + b if isinstance(index.op, ast.Add) else a - b
        named = {n.id for n in ast.walk(index) if isinstance(n, ast.Name)}
        return None if self.index in named or named & self.own else 0

    def statements(self) -> list[ast.stmt]:
        """What stands in place of the loop."""
        found: list[ast.stmt] = [_assign(f"{n}_all", self._start(n)) for n in self.accumulators]
        whole, rest = self._whole()
        self.part = None
        body = self._body()
        self.main = ast.For(
            self.loop.target, _call("range", self.first, whole, self.count), body, [], None
        )
        found.append(self.main)
        if rest is not None:
            self.part = ast.BinOp(self.last, ast.Sub(), _name(self.index))
            tail = [_assign(self.index, whole), *self._body()]
            # Of a loop that ends before it begins, whole vectors end before both.
            left = ast.Compare(self.first, [ast.LtE(), ast.Lt()], [whole, self.last])
            found += tail if rest else [ast.If(left, tail, [])]
        for name, step in self.accumulators.items():
            total = _call(f"reduced_{step}", _name(f"{name}_all"))
            joined = ast.BinOp(_name(name), ast.BitOr(), total)
            found.append(_assign(name, joined if step == "or" else _call(step, _name(name), total)))
        return [ast.copy_location(s, self.loop) for s in found]

    def _whole(self) -> tuple[ast.expr, bool | None]:
        """Where whole vectors end, and whether something is left: None for never."""
        turns = self._turns()
        if turns is not None:
            rest = turns % self.count
            whole: ast.expr = ast.Constant(turns - rest)
            if not (isinstance(self.first, ast.Constant) and self.first.value == 0):
                whole = ast.BinOp(self.first, ast.Add(), whole)
            return whole, True if rest else None
        length = ast.BinOp(self.last, ast.Sub(), self.first)
        vectors = ast.BinOp(length, ast.BitAnd(), ast.Constant(-self.count))
        return ast.BinOp(self.first, ast.Add(), vectors), False

    def _start(self, name: str) -> ast.expr:
        """What lanes of an accumulator begin with."""
        step = self.accumulators[name]
        if step == "or":
            return _call("splat", self.count, _call("b1", 0))
        if step in NEUTRAL:
            return _call("splat", self.count, _call(self.dtype, NEUTRAL[step]))
        return _call("splat", self.count, _name(name))

    def _body(self) -> list[ast.stmt]:
        found = []
        for statement in self.loop.body:
            match statement:
                case ast.Assign([ast.Name(name)], value):
                    found.append(self._variable(name, value))
                case ast.Assign([ast.Subscript(ast.Name(buffer), index)], value):
                    found.append(ast.Expr(self._stored(buffer, index, self._value(value))))
        return [ast.copy_location(new, old) for new, old in zip(found, self.loop.body)]

    def _variable(self, name: str, value: ast.expr) -> ast.stmt:
        if name not in self.accumulators:
            return _assign(name, self._value(value))
        everything = _name(f"{name}_all")
        match value:
            case ast.BinOp(_, operator, addend):
                new: ast.expr = ast.BinOp(everything, operator, self._value(addend))
            case ast.Call(step, [_, addend]):
                new = ast.Call(step, [everything, self._value(addend)], [])
            case _:
                raise Refused("an accumulator without a step")
        if self.part is not None:
            new = _call("first_lanes", self.part, new, everything)
        return _assign(f"{name}_all", new)

    def _stored(self, buffer: str, index: ast.expr, value: ast.expr) -> ast.expr:
        if self.part is None:
            return _call("store_lanes", _name(buffer), index, value)
        return _call("store_lanes_part", _name(buffer), index, self.part, value)

    def _value(self, value: ast.expr) -> ast.expr:
        """An expression of elements as one of vectors."""
        if not self._varies(value):
            if self.types.of(value) not in (self.dtype, "b1"):
                raise Refused("a number of another dtype")
            return _call("splat", self.count, value)
        match value:
            case ast.Name(name) if name in self.own:
                return value
            case ast.Subscript(ast.Name(buffer), index):
                return self._loaded(buffer, index)
            case ast.Call(ast.Name(name), [x]) if name in CASTS:
                if self.types.of(x) != name:
                    raise Refused(f"{name} of another dtype")
                return self._value(x)
            case ast.Call(ast.Name("select"), arguments):
                return _call("select", *map(self._value, arguments))
            case ast.Call(ast.Name(name), arguments) if (
                name in FLOATS or name in TESTS or name in ACCUMULATING
            ):
                if name in OF_LIBRARY[self.dtype]:
                    raise Refused(f"{name} is the C library's")
                return _call(name, *map(self._float, arguments))
            case ast.BinOp(x, ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), y):
                return ast.BinOp(self._float(x), value.op, self._float(y))
            case ast.BinOp(x, ast.BitAnd() | ast.BitOr() | ast.BitXor(), y):
                return ast.BinOp(self._value(x), value.op, self._value(y))
            case ast.Compare(x, [ast.Eq() | ast.NotEq() as operator], [y]):
                return ast.Compare(self._value(x), [operator], [self._value(y)])
            case ast.Compare(x, [operator], [y]):
                return ast.Compare(self._float(x), [operator], [self._float(y)])
            case ast.UnaryOp(ast.USub(), x):
                return ast.UnaryOp(ast.USub(), self._float(x))
        raise Refused("an expression without a form for vectors")

    def _float(self, value: ast.expr) -> ast.expr:
        """As `_value`, of floats: truth values are added, ordered and the like as integers are."""
        if self.types.of(value) != self.dtype:
            raise Refused("arithmetic of truth values")
        return self._value(value)

    def _varies(self, value: ast.expr) -> bool:
        """Whether an expression has other values in other turns."""
        named = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        return bool(named & (self.own | {self.index}))

    def _loaded(self, buffer: str, index: ast.expr) -> ast.expr:
        if self._step(index) != 1:
            raise Refused(f"{buffer} is not read one element after the other")
        if self.types.buffers.get(buffer) != self.dtype:
            raise Refused(f"{buffer} has another dtype")
        if self.part is None:
            return _call("load_lanes", self.count, _name(buffer), index)
        return _call("load_lanes_part", self.count, _name(buffer), index, self.part)

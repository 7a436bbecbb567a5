"""A walk through a kernel's source with expressions for its integers: `prove` says what for.

A loop's variable is a symbol between bounds; `quotient(p, n)` and `remainder(p, n)` of a loop over
n*m are two such. What a test tells is known inside its branch. Each access of a buffer is noted,
with its index, and shown to be inside the buffer.

Not here: the arithmetic (`inequality`), which elements the accesses reach (`reach`).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.atoms import Symbol
from graphc.core.dims import Dim, Size
from graphc.runtime.checks.conditions import ANYTHING, Condition, joined
from graphc.runtime.checks.inequality import Known, never_negative
from graphc.runtime.checks.reach import HIGH, LOW, Access, Run, Unproved
from graphc.runtime.checks.turns import growing, replaced
from graphc.runtime.language import language


@dataclass(frozen=True, slots=True)
class Given:
    """Memory among a kernel's arguments; `nbytes` is None where calls compute it."""

    place: int
    nbytes: Size | None
    is_operand: bool


class Memory:
    """A kernel's buffer.

    Attributes:
        place: what tells it from others: the key of an argument's memory, or a local's name.
        count: its elements.
        is_integer: whether they are integers, so that they may be indices.
        is_local: whether it is the kernel's own.
        is_operand: whether it holds what another node computed.
    """

    def __init__(
        self, place: Hashable, count: Size, is_integer: bool, is_local: bool, is_operand: bool
    ) -> None:
        self.place, self.count = place, count
        self.is_integer, self.is_local, self.is_operand = is_integer, is_local, is_operand


@functools.lru_cache(maxsize=4096)
def _statements(source: str) -> list[ast.stmt]:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    return function.body


class Walk:
    """One walk.

    Args:
        extent: of the kernel's parallel range.
        arguments: what is known of its arguments: `Given` memory, sizes, None.

    Attributes:
        values: of its variables: an integer's expression, a buffer, a condition; None otherwise.
        known: bounds of symbols and what tests have shown, where the walk is.
        runs: the loops around.
        tests: the branches around, each what it compares and which way it went.
        accesses: of buffers, in the order of the source.
    """

    def __init__(self, extent: Size, arguments: Sequence[Any]) -> None:
        self.extent, self.arguments = extent, arguments
        low, high = dims.symbol(LOW), dims.symbol(HIGH)
        is_one = extent == 1
        self.values: dict[str, Any] = {"lo": 0 if is_one else low, "hi": 1 if is_one else high}
        known = Known().bounded(LOW, [0], [self.extent]).bounded(HIGH, [low], [self.extent])
        # An empty range isn't run.
        self.known = known.given([self.extent - 1])
        self.runs: tuple[Run, ...] = ()
        self.tests: tuple[tuple[Any, bool], ...] = ()
        self.accesses: list[Access] = []
        self._count = 1  # the ends of the range are 0 and 1

    def number(self) -> int:
        """A fresh number."""
        self._count += 1
        return self._count

    def unknown(self, lows: Sequence[Size] = (), highs: Sequence[Size] = ()) -> Dim:
        """A symbol for an integer between bounds."""
        lows, highs = sorted(lows, key=_weight), sorted(highs, key=_weight)
        is_natural = any(never_negative(low, self.known) for low in lows)
        symbol = Symbol(f"@{self.number()}", 0 if is_natural else None)  # type: ignore[arg-type]
        self.known = self.known.bounded(symbol, lows, highs)
        return dims.symbol(symbol)

    def holds(self, x: Size) -> bool:
        """Whether x >= 0 here."""
        return never_negative(x, self.known)

    def whole(self, source: str) -> None:
        """Walk through the function that a source defines.

        Raises:
            Unproved: it does something that has no expression here, or might reach outside.
        """
        self.block(_statements(source))

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Statements in order."""
        for statement in statements:
            match statement:
                case ast.Assign([target], value):
                    self._assign(target, value)
                case ast.AugAssign(target, operator, value):
                    self._change(target, operator, value)
                case ast.For(ast.Name(name), ast.Call(ast.Name("range"), args), body):
                    self._loop(name, [self.value(a) for a in args], body)
                case ast.While(test, body):
                    self._while(test, body)
                case ast.If(test, body, orelse):
                    self._branch(test, body, orelse)
                case ast.Expr(value):
                    self.value(value)
                case ast.Pass():
                    pass
                case _:
                    raise Unproved(f"a statement {type(statement).__name__}")

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Name(name), _:
                self.values[name] = self.value(value)
            case ast.Tuple(targets), ast.Tuple(values):
                found = [self.value(v) for v in values]
                for place, each in zip(targets, found, strict=True):
                    assert isinstance(place, ast.Name)
                    self.values[place.id] = each
            case ast.Subscript(buffer, index), _:
                self.value(value)
                self.access(self.value(buffer), self.value(index), True)
            case _:
                raise Unproved("an assignment")

    def _change(self, target: ast.expr, operator: ast.operator, value: ast.expr) -> None:
        as_read = ast.copy_location(ast.BinOp(target, operator, value), target)
        if isinstance(target, ast.Subscript):
            buffer, index = self.value(target.value), self.value(target.slice)
            self.access(buffer, index, False)
            self.value(value)
            self.access(buffer, index, True)
        else:
            self._assign(target, as_read)

    def _forget(self, body: Sequence[ast.stmt]) -> None:
        """What a loop changes has no known value at its start."""
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    self.values[node.id] = None

    def _loop(self, name: str, bounds: list[Any], body: Sequence[ast.stmt]) -> None:
        low, high, by = {1: (0, *bounds, 1), 2: (*bounds, 1), 3: tuple(bounds)}[len(bounds)]
        if not all(isinstance(x, int | Dim) for x in (low, high, by)) or not self.holds(by - 1):
            raise Unproved("the range of a loop")
        self._forget(body)
        before = self.known, dict(self.values)
        if isinstance(low, int) and high == low + 1:
            self.values[name] = low
            self.block(body)
            return
        # The variable is below the end and not below the start, so the loop isn't empty.
        self.known = self.known.given([high - 1 - low])
        ends = _options(high, "min")
        ends += [dims.substitute(x, {HIGH: self.extent}) for x in ends]
        at = self.unknown(_options(low, "max"), [x - 1 for x in dict.fromkeys(ends)])
        self.values[name] = at
        self.runs = (*self.runs, Run(self.number(), at, low, high, by))
        self.block(body)
        self.runs = self.runs[:-1]
        self.known, self.values = before[0].after(self.known), before[1]
        self.values[name] = None

    def _while(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        rising, falling = self._naturals(growing(body)), self._naturals(replaced(body))
        self._forget(body)
        before, values = self.known, dict(self.values)
        for name, start in rising.items():
            self.values[name] = self.unknown([start])
        # Assumed where a turn starts and shown where it ends, so it holds at every turn.
        for name, start in falling.items():
            self.values[name] = self.unknown([0], [start])
        condition = self.condition(self.value(test))
        self.known = self.known.given(condition.true)
        self.runs = (*self.runs, Run(self.number(), None, 0, 0, 1))
        self.tests = (*self.tests, (self.number(), True))
        self.block(body)
        for name, start in falling.items():
            end = self.values[name]
            is_size = isinstance(end, int | Dim)
            if not is_size or not self.holds(end) or not self.holds(start - end):
                raise Unproved(f"that {name} never grows in its loop")
        self.runs, self.tests = self.runs[:-1], self.tests[:-1]
        self.known, self.values = before.after(self.known), values

    def _naturals(self, names: Sequence[str]) -> dict[str, Size]:
        """The values here of those variables that are known not to be negative."""
        found = {name: self.values.get(name) for name in names}
        return {k: x for k, x in found.items() if isinstance(x, int | Dim) and self.holds(x)}

    def _branch(self, test: ast.expr, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]) -> None:
        condition = self.condition(self.value(test))
        if condition.true and all(map(self.holds, condition.true)) and condition.is_exact:
            self.block(body)
            return
        if condition.outcome is False:
            self.block(orelse)
            return
        known, values, tests = self.known, dict(self.values), self.tests
        # Tests that compare the same have the same outcome.
        key = tuple(condition.true) if condition.is_exact else self.number()
        ends = []
        for is_true, way in ((True, body), (False, orelse)):
            self.values = dict(values)
            self.known = known.given(condition.true if is_true else condition.false)
            self.tests = (*tests, (key, is_true))
            self.block(way)
            ends.append((self.known, self.values))
        self.tests = tests
        self._merge(known, values, condition, ends)

    def _merge(
        self, known: Known, values: dict[str, Any], condition: Condition, ends: list[Any]
    ) -> None:
        """The values of variables after a branch."""
        (known1, then), (known2, otherwise) = ends
        self.known = known.after(known1).after(known2)
        self.values = values
        for name in {**then, **otherwise}:
            x, y = then.get(name), otherwise.get(name)
            if x is y or (isinstance(x, int | Dim) and x == y):
                self.values[name] = x
            elif isinstance(x, int | Dim) and isinstance(y, int | Dim):
                found = joined(condition, (x, known1), (y, known2))
                self.values[name] = self.unknown(*found)
            else:
                self.values[name] = None

    def value(self, node: ast.expr) -> Any:
        """What an expression is, its loads noted."""
        match node:
            case ast.Constant(value):
                is_whole = isinstance(value, int) and not isinstance(value, bool)
                return value if is_whole else None
            case ast.Name(name):
                return self.values.get(name)
            case ast.Subscript(ast.Name("args"), index):
                return self._argument(self.value(index))
            case ast.Subscript(buffer, index):
                return self.access(self.value(buffer), self.value(index), False)
            case ast.BinOp(left, operator, right):
                return _arithmetic(operator, self.value(left), self.value(right))
            case ast.UnaryOp(operator, operand):
                value = self.value(operand)
                is_minus = isinstance(operator, ast.USub) and isinstance(value, int | Dim)
                return 0 - value if is_minus else None
            case ast.Compare(left, operators, others):
                found = [self.value(x) for x in (left, *others)]
                return Condition.compared([type(o).__name__ for o in operators], found)
            case ast.BoolOp(operator, operands):
                tests = [self.condition(self.value(x)) for x in operands]
                return Condition.both(tests, isinstance(operator, ast.And))
            case ast.IfExp(test, x, y):
                return self._select(self.value(test), self.value(x), self.value(y))
            case ast.Call(ast.Name(name), args):
                return self._call(name, args)
            case _:
                raise Unproved(f"an expression {type(node).__name__}")

    def condition(self, value: Any) -> Condition:
        """The condition that a value is; one that tells nothing where it is no comparison."""
        return value if isinstance(value, Condition) else ANYTHING

    def _argument(self, index: Any) -> Any:
        if not isinstance(index, int):
            raise Unproved("a table")
        argument = self.arguments[index]
        return None if isinstance(argument, Given) else argument

    def _call(self, name: str, args: Sequence[ast.expr]) -> Any:
        if name in ("buffer", "local"):
            return self._buffer(name, args)
        if name in ("buffer_at", "either") or name.startswith("tile_"):
            raise Unproved(f"memory by {name}")
        if name == "fail":
            return None
        found = [self.value(a) for a in args]
        if any(isinstance(x, Memory) for x in found):
            raise Unproved(f"a buffer handed to {name}")
        if name == "select":
            return self._select(*found)
        if not all(isinstance(x, int | Dim) for x in found):
            return None
        match name, found:
            case "i64", [x]:
                return x
            case "min", [x, y]:
                return dims.minimum(x, y)
            case "max", [x, y]:
                return dims.maximum(x, y)
            case (("quotient" | "remainder" | "floor_quotient" | "floor_remainder"), [x, y]):
                return self._divided(x, y, name.endswith("quotient"))
        return None

    def _select(self, test: Any, x: Any, y: Any) -> Any:
        if not isinstance(x, int | Dim) or not isinstance(y, int | Dim):
            if isinstance(x, Memory) or isinstance(y, Memory):
                raise Unproved("memory by select")
            return None
        condition = self.condition(test)
        if (outcome := condition.outcome) is not None:
            return x if outcome else y
        known1, known2 = self.known.given(condition.true), self.known.given(condition.false)
        if never_negative(y - x, known1) and never_negative(x - y, known2):
            return dims.minimum(x, y)
        if never_negative(x - y, known1) and never_negative(y - x, known2):
            return dims.maximum(x, y)
        return self.unknown(*joined(condition, (x, known1), (y, known2)))

    def _divided(self, x: Size, y: Size, is_quotient: bool) -> Any:
        """A quotient or remainder. A loop over a multiple of y is two loops from here on."""
        if not self.holds(y - 1) and not self._splits(x, y):
            return None
        for run in self.runs:
            if isinstance(x, Dim) and x in run.pieces() and run.symbol is not None:
                parts = run.split(x, y, self.known.highs, self.unknown)
                if parts is not None:
                    self._replace(x, parts[0] * y + parts[1])
                    return parts[0] if is_quotient else parts[1]
        return x // y if is_quotient else x % y

    def _splits(self, x: Size, y: Size) -> bool:
        """Whether x is a loop's variable below a multiple of y, so that y isn't 0 here."""
        return any(x in r.pieces() and r.fits(x, y, self.known.highs) for r in self.runs)

    def _replace(self, x: Dim, new: Size) -> None:
        ((symbol,),) = x.terms
        changes = {symbol: new}
        for name, value in self.values.items():
            if isinstance(value, Dim):
                self.values[name] = dims.substitute(value, changes)  # type: ignore[arg-type]

    def _buffer(self, name: str, args: Sequence[ast.expr]) -> Memory:
        match name, args:
            case "local", [ast.Constant(int(count)), ast.Name(dtype)]:
                return Memory(("local", self.number()), count, _is_integer(dtype), True, False)
            case "buffer", [_, ast.Constant(int(position)), ast.Name(dtype)]:
                given = self.arguments[position]
            case _:
                raise Unproved("a buffer that is computed")
        if not isinstance(given, Given) or given.nbytes is None:
            raise Unproved("memory whose size calls compute")
        itemsize = np.dtype(language.STORAGE[language.CASTS[dtype]]).itemsize
        if dims.multiple(given.nbytes) % itemsize:
            raise Unproved("a buffer of another dtype")
        elements = given.nbytes // itemsize
        return Memory(given.place, elements, _is_integer(dtype), False, given.is_operand)

    def access(self, memory: Any, index: Any, is_store: bool) -> Any:
        """Note an access, and what an integer that is loaded may be."""
        if not isinstance(memory, Memory) or not isinstance(index, int | Dim):
            raise Unproved("an index that is not an expression of loops and sizes")
        if not self.holds(index) or not self.holds(memory.count - 1 - index):
            raise Unproved(f"that the index {index} is below {memory.count}")
        self.accesses.append(
            Access(
                memory.place, memory.count, memory.is_local, memory.is_operand, index, self.runs,
                self.tests, is_store, self.known,
            )
        )  # fmt: skip
        return self.unknown() if memory.is_integer and not is_store else None


def _weight(x: Size) -> int:
    """How long it takes to look at a bound, about: the simple ones are tried first."""
    if isinstance(x, int):
        return 0
    atoms = [atom for monomial in x.terms for atom in monomial]
    return sum(
        (2 if a.name.startswith("@") else 1)
        if isinstance(a, Symbol)
        else 4 + _weight(a.x) + _weight(a.y)
        for a in atoms
    )


def _is_integer(dtype: str) -> bool:
    return dtype[0] in "iu"


def _options(x: Size, function: str) -> list[Size]:
    """Bounds that a bound amounts to: below min(x, y) is below both."""
    if isinstance(x, Dim) and len(x.terms) == 1:
        ((monomial, factor),) = x.terms.items()
        call = monomial[0]
        if factor == 1 and len(monomial) == 1 and getattr(call, "function", "") == function:
            return [x, *_options(call.x, function), *_options(call.y, function)]  # type: ignore[union-attr]
    return [x]


def _arithmetic(operator: ast.operator, x: Any, y: Any) -> Any:
    if not isinstance(x, int | Dim) or not isinstance(y, int | Dim):
        if isinstance(x, Memory) or isinstance(y, Memory):
            raise Unproved("arithmetic on a buffer")
        return None
    match operator:
        case ast.Add():
            return x + y
        case ast.Sub():
            return x - y
        case ast.Mult():
            return x * y
    return None

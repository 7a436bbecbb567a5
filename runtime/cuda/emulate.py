"""CUDA kernels on the CPU: their blocks one after another, the threads of a block in turns.

    x = shared(4, f32)                    x = local(4, f32)
    ...                                   for block in range(lo, hi):
    a = p[block_index() * 32 + t]             for thread in range(32):
    x[t] = a                    ->                a_[thread] = p[block * 32 + t]
    barrier()                                     x[t] = a_[thread]
    r[t] = x[31 - t] + a                      for thread in range(32):
                                                  r[t] = x[31 - t] + a_[thread]

A barrier ends a loop over the threads; what is known on both its sides is an array with an element
for each thread. A shuffle is two loops: all threads' values, then each thread takes its own. What
holds a barrier inside is a loop or branch that all threads of a block take alike. The result is an
ordinary kernel whose parallel range is blocks, and runs as any other. The loops' variables have
underscores before them, which no variable of a kernel has.

It shows what a kernel computes, not how a device would: for that no barrier is missing, see the
same text run as plain Python in the tests.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphc.core import dtypes
from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda.compile import LANGUAGE, threads_of
from graphc.runtime.fused.loops import TAB

WARP = 32
_SHUFFLE = "shuffle_down"
_SYNC = {"barrier", _SHUFFLE}
_HOISTED = {"buffer", "shared", "number_at"}


@dataclass
class Phase:
    """Statements between two barriers."""

    lines: list[ast.stmt] = field(default_factory=list)


@dataclass
class Uniform:
    """A loop or branch that all threads of a block take alike; `otherwise` of a branch."""

    head: ast.For | ast.If
    items: list[Item]
    otherwise: list[Item]


@dataclass
class Barrier:
    """All threads of a block wait."""


@dataclass
class Shuffle:
    """`target` of each thread is `source` of the one `away` lanes further in its warp."""

    target: str
    source: str
    away: ast.expr


Item = Phase | Uniform | Barrier | Shuffle


def _calls(node: ast.AST) -> set[str]:
    return {
        n.func.id
        for n in ast.walk(node)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }


def phases(body: Sequence[ast.stmt]) -> list[Item]:
    """Statements cut at barriers and shuffles."""
    found: list[Item] = []
    for statement in body:
        if not _calls(statement) & _SYNC:
            if not found or not isinstance(found[-1], Phase):
                found.append(Phase())
            found[-1].lines.append(statement)  # type: ignore[union-attr]
        elif isinstance(statement, ast.For | ast.If):
            found.append(Uniform(statement, phases(statement.body), phases(statement.orelse)))
        elif isinstance(statement, ast.Assign):
            call, name = statement.value, statement.targets[0]
            assert isinstance(call, ast.Call) and isinstance(call.args[0], ast.Name)
            assert isinstance(name, ast.Name)
            found.append(Shuffle(name.id, call.args[0].id, call.args[1]))
        elif isinstance(statement, ast.Expr):
            found.append(Barrier())
        else:
            raise InternalError(f"a barrier stands in {ast.unparse(statement)}")
    return found


def _names(node: ast.AST, stored: bool) -> set[str]:
    return {
        n.id
        for n in ast.walk(node)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) is stored
    }


def _parts(items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item, Uniform):
            yield from _parts(item.items)
            yield from _parts(item.otherwise)


def crossing(items: Sequence[Item]) -> set[str]:
    """Variables that are set in one phase and known in another."""
    where: dict[str, set[int]] = {}
    every = list(_parts(items))
    for number, item in enumerate(every):
        stored: set[str] = set()
        if isinstance(item, Phase):
            stored = set().union(*(_names(line, True) for line in item.lines))
        elif isinstance(item, Shuffle):
            stored = {item.target}
        for name in stored:
            where.setdefault(name, set()).add(number)
    for number, item in enumerate(every):
        read: set[str] = set()
        if isinstance(item, Phase):
            read = set().union(*(_names(line, False) for line in item.lines))
        elif isinstance(item, Uniform):
            test = item.head.iter if isinstance(item.head, ast.For) else item.head.test
            read = _names(test, False)
        elif isinstance(item, Shuffle):
            where.setdefault(item.source, set()).update((number, -1))
            where.setdefault(item.target, set()).add(-1)
        for name in read & where.keys():
            where[name].add(number)
    return {name for name, numbers in where.items() if len(numbers) > 1}


class _Typed:
    """The dtypes of a kernel's variables, from what they are set to."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.of: dict[str, str] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name not in self.of:
                    self.of[name] = self.type(node.value)

    def type(self, node: ast.expr) -> str:
        """The dtype of an expression."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        if isinstance(node, ast.Subscript):
            return self._name(node.value)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp):
            return "b1" if isinstance(node.op, ast.Not) else self.type(node.operand)
        if isinstance(node, ast.BinOp):
            sides = node.right if isinstance(node.left, ast.Constant) else node.left
            return self.type(sides)
        if isinstance(node, ast.IfExp):
            return self.type(node.body)
        if isinstance(node, ast.Compare | ast.BoolOp):
            return "b1"
        return "b1" if isinstance(node, ast.Constant) and isinstance(node.value, bool) else "i64"

    def _name(self, node: ast.expr) -> str:
        return self.of.get(node.id, "i64") if isinstance(node, ast.Name) else "i64"

    def _call(self, name: str, args: Sequence[ast.expr]) -> str:
        if name in _SHORT:
            return _SHORT[name]
        if name in ("buffer", "buffer_at", "number_at"):
            return _SHORT[ast.unparse(args[2])]
        if name in ("shared", "local"):
            return _SHORT[ast.unparse(args[1])]
        if name in ("block_index", "thread_index", "quotient", "remainder"):
            return "i64"
        if name.startswith(("is", "out_of_range", "signbit")):
            return "b1"
        if name in ("philox_word", "bit_count"):
            return {"philox_word": "u32", "bit_count": "u8"}[name]
        return self.type(args[1 if name == "select" else 0])


# What a scalar of each dtype is kept in.
_SHORT = {dtype.short: dtype.compute.short for dtype in dtypes.ALL}


class _PerThread(ast.NodeTransformer):
    """Names of crossing variables as elements of arrays, of the thread that a name says."""

    def __init__(self, names: set[str], thread: str) -> None:
        self.names, self.thread = names, thread

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """An element in place of a variable."""
        if node.id not in self.names:
            return node
        return ast.Subscript(ast.Name(f"{node.id}_"), ast.Name(self.thread), node.ctx)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """The variables of the loops in place of indices."""
        if isinstance(node.func, ast.Name):
            if node.func.id == "thread_index":
                return ast.Name(self.thread)
            if node.func.id == "block_index":
                return ast.Name("_block")
        return self.generic_visit(node)  # type: ignore[return-value]


class Serial:
    """Writes a kernel's blocks and threads out as loops.

    Args:
        kernel: in the language "cuda".
        is_watched: as plain Python, with calls `thread_begins(block, thread)` before what a thread
            does, and `barrier_passed()` at barriers.
        backwards: the threads of a block in the other order.
    """

    def __init__(self, kernel: Kernel, is_watched: bool = False, backwards: bool = False) -> None:
        self.kernel, self.is_watched, self.backwards = kernel, is_watched, backwards
        self.threads = threads_of(kernel)
        tree = ast.parse(kernel.source)
        self.function = next(n for n in tree.body if isinstance(n, ast.FunctionDef))
        body = list(self.function.body)
        self.head: list[ast.stmt] = []
        while body and self._is_hoisted(body[0]):
            self.head.append(body.pop(0))
        self.items = phases(body)
        self.crossing = crossing(self.items)
        self.lines: list[str] = []

    @staticmethod
    def _is_hoisted(statement: ast.stmt) -> bool:
        """Whether a statement reads an argument, which is the same for all threads."""
        if not isinstance(statement, ast.Assign):
            return False
        value = statement.value
        if isinstance(value, ast.Call):
            return isinstance(value.func, ast.Name) and value.func.id in _HOISTED
        is_args = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name)
        return is_args and value.value.id == "args"  # type: ignore[attr-defined]

    def text(self, name: str) -> str:
        """The source of the kernel for the CPU."""
        head, typed = [], _Typed(self.function)
        for statement in self.head:
            text = ast.unparse(statement)
            is_shared = "shared" in _calls(statement)
            if is_shared and self.is_watched:
                self.lines.append(TAB * 2 + text)
            else:
                head.append(TAB + (text.replace("shared(", "local(") if is_shared else text))
        for variable in sorted(self.crossing):
            array = f"local({self.threads}, {typed.of.get(variable, 'i64')})"
            made = f"[None] * {self.threads}" if self.is_watched else array
            head.append(f"{TAB}{variable}_ = {made}")
        self._put(self.items, 2)
        lines = [f"def {name}(args, first_block, last_block):", *head]
        lines += [f"{TAB}for _block in range(first_block, last_block):", *self.lines]
        return "\n".join([*lines, ""] if self.lines else [*lines, f"{TAB * 2}pass", ""])

    def _put(self, items: Sequence[Item], depth: int) -> None:
        for item in items:
            if isinstance(item, Phase):
                self._threads(depth, [self._of(line, "_thread") for line in item.lines])
            elif isinstance(item, Uniform):
                self._uniform(item, depth)
            elif isinstance(item, Shuffle):
                self._shuffle(item, depth)
            elif self.is_watched:
                self.lines.append(f"{TAB * depth}barrier_passed()")

    def _of(self, node: ast.stmt | ast.expr, thread: str) -> str:
        copied = _PerThread(self.crossing, thread).visit(ast.parse(ast.unparse(node)).body[0])
        return ast.unparse(ast.fix_missing_locations(copied))

    def _threads(self, depth: int, statements: Sequence[str]) -> None:
        tab = TAB * depth
        if self.backwards:
            self.lines.append(f"{tab}for _turn in range({self.threads}):")
            self.lines.append(f"{tab}{TAB}_thread = {self.threads - 1} - _turn")
        else:
            self.lines.append(f"{tab}for _thread in range({self.threads}):")
        if self.is_watched:
            self.lines.append(f"{tab}{TAB}thread_begins(_block, _thread)")
        for statement in statements:
            self.lines += [f"{tab}{TAB}{line}" for line in statement.splitlines()]

    def _uniform(self, item: Uniform, depth: int) -> None:
        tab, head = TAB * depth, item.head
        if isinstance(head, ast.For):
            turns = self._of(head.iter, "0")
            self.lines.append(f"{tab}for {ast.unparse(head.target)} in {turns}:")
        else:
            self.lines.append(f"{tab}if {self._of(head.test, '0')}:")
        for items, word in ((item.items, ""), (item.otherwise, "else:")):
            if word and items:
                self.lines.append(tab + word)
            before = len(self.lines)
            self._put(items, depth + 1)
            if len(self.lines) == before and (items or not word):
                self.lines.append(f"{tab}{TAB}pass")

    def _shuffle(self, item: Shuffle, depth: int) -> None:
        """Each thread's value of `source` in `target`: in the order in which no source is taken
        away before it is read, since they are two arrays."""
        if item.target == item.source:
            raise InternalError(f"{self.kernel.name} shuffles {item.source} into itself")
        tab, away = TAB * depth, self._of(item.away, "0")
        inside = f"remainder(_thread, {WARP}) + {away} < {WARP}"
        self.lines += [
            f"{tab}for _thread in range({self.threads}):",
            f"{tab}{TAB}_origin = _thread + {away} if {inside} else _thread",
            f"{tab}{TAB}{item.target}_[_thread] = {item.source}_[_origin]",
        ]


@functools.lru_cache(maxsize=1024)
def emulated(kernel: Kernel) -> Kernel:
    """The kernel for the CPU that does what a CUDA kernel does; another kernel as it is."""
    if kernel.language != LANGUAGE:
        return kernel
    name = f"{kernel.name}_emulated"
    return Kernel(name, Serial(kernel).text(name), checks=kernel.checks)

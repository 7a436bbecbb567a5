"""Pickles read as data: a machine for the opcodes that build values, over a table of names.

    Machine(data, {"torch.Size": make_size}, fetch, fill).read()

A pickle is a program for a stack machine. This one has the opcodes that make numbers, text and
containers; a name in it is looked up in the table alone, nothing is imported, and what is called
is a function of the table. Whatever else a pickle asks for is an error.

Not here: which names PyTorch's files have, and what they make (`rebuilding`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from graphc.errors import FormatError, GraphcError

# An empty list is one byte of a pickle and 56 of memory: so many steps are 2 GiB at most.
MAX_STEPS = 20_000_000
# What a key is made of: hashing others can take time without end.
_ATOMS = (str, bytes, int, float, complex, bool, type(None))
MAX_KEY = 100


class Machine:
    """A pickle's stack, memo and place.

    Args:
        data: the bytes, of one pickle or several behind each other.
        names: what may be named, by "module.name"; of these, plain functions are called.
        fetch: gives what a persistent id stands for.
        fill: sets the state of a value that was made before; takes both.
        at: where the first begins.
    """

    def __init__(
        self,
        data: bytes,
        names: Mapping[str, Any],
        fetch: Callable[[Any], Any],
        fill: Callable[[Any, Any], None],
        at: int = 0,
    ) -> None:
        self.data, self.names, self.at = data, names, at
        self.fetch, self.fill = fetch, fill
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.steps = 0

    def read(self) -> Any:
        """The value of the pickle that begins here.

        Raises:
            FormatError: it is cut short, damaged, or asks for more than values.
        """
        self.stack, self.marks, self.memo = [], [], {}
        try:
            while True:
                code = self._take(1)[0]
                if code == _STOP:
                    return self._pop()
                self._step(code)
        except GraphcError:
            raise
        except (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error) as error:
            raise FormatError(f"its pickle is damaged near byte {self.at}: {error!s:.80}") from None

    def _step(self, code: int) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise FormatError(f"its pickle has more than {MAX_STEPS} steps")
        action = _ACTIONS.get(code)
        if action is None:
            raise FormatError(
                f"its pickle has the opcode {bytes([code])!r} at byte {self.at - 1}, which no file "
                "of tensors has",
                hint="nothing in it was run",
            )
        action(self)

    def _take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) != count:
            raise FormatError("its pickle was cut short")
        self.at += count
        return found

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self.data.index(b"\n", self.at)
        text = self.data[self.at : end].decode()
        self.at = end + 1
        return text

    def _pop(self) -> Any:
        if self.marks and self.marks[-1] >= len(self.stack):
            raise IndexError("nothing stands behind the mark")
        return self.stack.pop()

    def _marked(self) -> list[Any]:
        """What stands behind the last mark."""
        at = self.marks.pop()
        found = self.stack[at:]
        del self.stack[at:]
        return found

    def _push(self, value: object) -> None:
        self.stack.append(value)

    def _tuple(self, count: int) -> None:
        self._push(tuple(reversed([self._pop() for _ in range(count)])))

    def _named(self, module: str, name: str) -> None:
        key = f"{module.replace('__builtin__', 'builtins')}.{name}"
        if key not in self.names:
            raise FormatError(
                f"it has {key!r:.100}, a Python object that is no tensor",
                hint="nothing in it was run; in the program that wrote it, save the state_dict() "
                "of models and optimizers",
            )
        self._push(self.names[key])

    def _stack_named(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self._named(module, name)

    def _call(self) -> None:
        args, function = self._pop(), self._pop()
        # Nothing but the table brings a function here; classes in it are names, no more.
        if not isinstance(function, FunctionType):
            raise TypeError("a value that cannot be called")
        if not isinstance(args, tuple):
            raise TypeError("arguments that are no tuple")
        self._push(function(*args))

    def _build(self) -> None:
        state = self._pop()
        self.fill(self.stack[-1], state)

    def _append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("elements for what is no list")
        target.extend(values)

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("items for what is no dict")
        for key, value in zip(items[::2], items[1::2]):
            target[checked_key(key)] = value

    def _add(self) -> None:
        values, target = self._marked(), self.stack[-1]
        if type(target) is not set:
            raise TypeError("elements for what is no set")
        target.update(map(checked_key, values))

    def _keep(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _one_and_value(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _persistent(self) -> None:
        self._push(self.fetch(self._pop()))


def checked_key(key: object) -> Any:
    """A dict's key, or a set's element.

    Raises:
        TypeError: it is neither a number, text, nor a short tuple of these.
    """
    parts = key if type(key) is tuple and len(key) <= MAX_KEY else (key,)
    if not all(isinstance(part, _ATOMS) for part in parts):
        raise TypeError(f"a key that is a {type(key).__name__}")
    return key


def _text(machine: Machine, form: str) -> None:
    machine._push(machine._take(machine._number(form)).decode("utf-8", "surrogatepass"))


def _bytes(machine: Machine, form: str) -> None:
    machine._push(machine._take(machine._number(form)))


def _long(machine: Machine, form: str) -> None:
    data = machine._take(machine._number(form))
    machine._push(int.from_bytes(data, "little", signed=True))


_STOP = ord(".")
_ACTIONS: dict[int, Callable[[Machine], Any]] = {
    code[0]: action
    for code, action in {
        # Begin and end: the protocol, and frames, which only tell how much to read at once.
        b"\x80": lambda m: m._take(1),
        b"\x95": lambda m: m._take(8),
        b"(": lambda m: m.marks.append(len(m.stack)),
        b"0": lambda m: m._pop(),
        b"1": lambda m: m._marked(),
        b"2": lambda m: m._push(m.stack[-1]),
        # Atoms.
        b"N": lambda m: m._push(None),
        b"\x88": lambda m: m._push(True),
        b"\x89": lambda m: m._push(False),
        b"J": lambda m: m._push(m._number("<i")),
        b"K": lambda m: m._push(m._number("<B")),
        b"M": lambda m: m._push(m._number("<H")),
        b"\x8a": lambda m: _long(m, "<B"),
        b"\x8b": lambda m: _long(m, "<I"),
        b"G": lambda m: m._push(m._number(">d")),
        b"X": lambda m: _text(m, "<I"),
        b"\x8c": lambda m: _text(m, "<B"),
        b"\x8d": lambda m: _text(m, "<Q"),
        b"B": lambda m: _bytes(m, "<I"),
        b"C": lambda m: _bytes(m, "<B"),
        b"\x8e": lambda m: _bytes(m, "<Q"),
        b"U": lambda m: m._push(m._take(m._number("<B")).decode("latin1")),
        b"T": lambda m: m._push(m._take(m._number("<I")).decode("latin1")),
        # Containers.
        b")": lambda m: m._push(()),
        b"\x85": lambda m: m._tuple(1),
        b"\x86": lambda m: m._tuple(2),
        b"\x87": lambda m: m._tuple(3),
        b"t": lambda m: m._push(tuple(m._marked())),
        b"]": lambda m: m._push([]),
        b"l": lambda m: m._push(m._marked()),
        b"a": lambda m: m._append([m._pop()]),
        b"e": lambda m: m._append(m._marked()),
        b"}": lambda m: m._push({}),
        b"s": Machine._one_and_value,
        b"u": lambda m: m._set(m._marked()),
        b"\x8f": lambda m: m._push(set()),
        b"\x90": Machine._add,
        # The memo.
        b"q": lambda m: m._keep(m._number("<B")),
        b"r": lambda m: m._keep(m._number("<I")),
        b"\x94": lambda m: m._keep(len(m.memo)),
        b"h": lambda m: m._push(m.memo[m._number("<B")]),
        b"j": lambda m: m._push(m.memo[m._number("<I")]),
        # Names, calls and storages.
        b"c": lambda m: m._named(m._line(), m._line()),
        b"\x93": Machine._stack_named,
        b"R": Machine._call,
        b"\x81": Machine._call,
        b"b": Machine._build,
        b"Q": Machine._persistent,
    }.items()
}

__all__ = ["Machine", "checked_key"]

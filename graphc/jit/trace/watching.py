"""What traced Python read and did besides computing: values it will go on assuming, side effects.

While a function is traced each instruction of the user's code is followed, in `following`: what it
reads becomes a reading, and what is not understood makes the run unproven. The built-in functions
that the code calls are seen by `effects`, which notes what cannot be part of a graph.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from types import CodeType, FrameType, FunctionType
from typing import Any

from graphc.core.ir import Origin
from graphc.core.profilers import put_back
from graphc.eager.engine import promotion
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace import known
from graphc.jit.trace.codes import LAYER, LIBRARY, OWN, is_theirs, kind_of_code
from graphc.jit.trace.consulted import Consulted, Unproven
from graphc.jit.trace.effects import Effects, numpy_state
from graphc.jit.trace.following import Follower
from graphc.jit.trace.frames import NOTHING, Frame, NewFunction, Outer
from graphc.jit.trace.functions import function_with, functions_of, holds
from graphc.jit.trace.holdings import OptimizerReading, StateReading
from graphc.jit.trace.instructions import KNOWN_VERSION
from graphc.jit.trace.lookups import Unknown, in_class
from graphc.jit.trace.readings import Reading, fingerprint, shown
from graphc.jit.trace.stepping import stepping

# What is called when weakly held objects go.
_CALLBACKS = [
    code for owner in (weakref.WeakValueDictionary, weakref.WeakKeyDictionary, weakref.WeakSet)
    for code in owner.__init__.__code__.co_consts
    if isinstance(code, CodeType)
]  # fmt: skip
# How many instructions of one run are followed. One takes 1 to 4 us, so all of them less than a
# second: what compiling a model's program takes too. A training step of graphc's layers has some
# dozens, 50 steps of an RNN in a Python loop some 600; only loops over Python's own values come
# near.
MOST_FOLLOWED = 200_000
_GENERATOR = 0x20
_KEYWORDS = 0x08


class Watch:
    """Sees what a traced function reads and does; a context manager.

    Attributes:
        readings: what the program assumes of Python's values.
        unproven: why the run may not be repeated without Python; empty where it may.
        effects: lines about what the function did besides returning a value.
        impure: lines about values that differ from call to call.
        identities: lines about identities of arguments that mattered.
    """

    def __init__(self, function: object) -> None:
        self._effects = Effects()
        self.effects = self._effects.lines
        self.impure = self._effects.impure
        self._consulted = Consulted()
        self.identities = self._consulted.identities
        self.readings: list[Reading] = self._consulted.readings
        self.unproven: list[Unproven] = self._consulted.unproven
        self._frames: dict[int, Frame] = {}
        self._follower = Follower(self._consulted, self._frames)
        # By the identities of codes, whose hashes take their time.
        self.kinds: dict[int, str] = {}
        self.followed = self._frames
        self._kept: list[CodeType] = []
        self._optimizers: list[tuple[Any, Origin]] = []
        self._functions: dict[int, FunctionType] = {}
        self._top = next(functions_of(function), None)
        for each in functions_of(function):
            self._functions[id(each.__code__)] = each
        self._function = function
        self._started = False
        self._left = MOST_FOLLOWED

    def __enter__(self) -> Watch:
        self._drawn = numpy_state()
        self._outside = sys._getframe(1)
        self._before = sys.getprofile()
        self._settings()
        # What the garbage collector calls, whenever it comes, is no part of the run.
        for callback in gc.callbacks:
            self._ignore(getattr(callback, "__code__", None))
        for code in _CALLBACKS:
            self._ignore(code)
        self._steps: Any = stepping(self) if KNOWN_VERSION else None
        if self._steps is None or not self._steps.start():
            self._consulted.refuse("this Python's code cannot be followed", self._place())
        sys.setprofile(self._effects.hook())
        return self

    def __exit__(self, *exception: object) -> None:
        put_back(self._before)
        if self._steps is not None:
            self._steps.stop()
        if numpy_state() != self._drawn:
            self.impure.append("numpy.random: numbers were drawn from its global generator")
        trace = tracing.trace
        for optimizer, origin in self._optimizers:
            live = {(id(g), key) for g, key, *_ in trace.live_values} if trace else set()
            state = lambda optimizer=optimizer: optimizer.state  # noqa: E731
            self.readings += (
                OptimizerReading(optimizer, live, origin), StateReading(optimizer, origin),
                _Identical(f"the state of {type(optimizer).__name__}", state, origin),
            )  # fmt: skip
        self._settle(trace)
        self._frames.clear()
        self._functions.clear()
        self._consulted.forget()
        del self._outside

    def _ignore(self, code: CodeType | None) -> None:
        if code is not None:
            self._kept.append(code)
            self.kinds[id(code)] = OWN

    def _place(self) -> Origin:
        code = getattr(self._top, "__code__", None)
        if code is None:
            return Origin("<unknown>", 0, "")
        return Origin(code.co_filename, code.co_firstlineno, code.co_name)

    def _settings(self) -> None:
        """What graphc's own functions read beside their arguments."""
        where = self._place()
        for what, find in (("the default dtype", promotion.get_default_dtype),
                           ("hooks of all modules", _hooks_of_all)):  # fmt: skip
            self.readings.append(
                Reading(what, find, find(), where, None, owned=True, definition=True)
            )
        function = self._function
        while isinstance(function, functools.partial):
            self._consulted.content(function.keywords, "the keywords of a partial", where)
            for value in function.args:
                if isinstance(value, Tensor):
                    self._consulted.flags(value, "an argument of a partial", where)
            function = function.func
        if self._top is not None:
            self._consulted.function(self._top, where)
        owner = getattr(function, "__self__", function)
        if known.kind_of(type(owner)) == known.MODULE:
            self._consulted.module(owner, where)
            self._consulted.of_class(type(owner), "__call__", where)

    def _settle(self, trace: Any) -> None:
        """The run is over: what it changed itself, and what it made, are no readings."""
        kept = []
        for reading in self.readings:
            value = reading.value
            if isinstance(value, Tensor) and (
                value._node is not None or (trace is not None and trace.is_born(value))
            ):
                self._consulted.refuse(f"{reading.what} was set by the run", reading.origin)
                continue
            if not reading.holds():
                if is_theirs(reading.origin.file):
                    self._effects.add(
                        f"{reading.what} was changed by the traced code (it ran once, "
                        "for the trace)"
                    )
                self._consulted.refuse(f"{reading.what} is changed", reading.origin)
            kept.append(reading)
        self.readings[:] = kept

    # --- what `stepping` tells

    def entered(self, frame: FrameType) -> None:
        """A frame begins, or a generator's goes on."""
        kind = self.kinds.get(id(frame.f_code)) or self._kind(frame)
        if kind == OWN or self._consulted.ends_watch:
            return
        if kind == LAYER:
            self._layer(frame)
            return
        if id(frame) in self._frames:
            return
        back = frame.f_back
        caller = self._frames.get(id(back)) if back is not None else None
        if caller is None and self._is_ours(frame, kind):
            return
        self._begin(frame, caller)

    def at(self, frame: FrameType, offset: int) -> None:
        """An instruction of a user's frame is next."""
        state = self._frames.get(id(frame))
        if state is None:
            if self._consulted.ends_watch:
                _ = frame.f_locals  # Python's copy of the variables lets go of those that went
            return
        self._left -= 1
        if self._left <= 0:
            self._give_up(state)
            return
        self._follower.advance(state, offset)
        if self._consulted.ends_watch:
            # The steps go on, for Python's copy of the variables.
            self._frames.clear()
            self._consulted.forget()
            self.readings.clear()

    def _give_up(self, state: Frame) -> None:
        """The run takes too long to be followed to its end: calls will run its Python."""
        reason = f"more than {MOST_FOLLOWED:,} instructions of Python run in a call"
        self._consulted.refuse(reason, state.origin(state.pending()))
        self._steps.pause()

    def returned(self, frame: FrameType, value: object) -> None:
        """A frame returns or yields."""
        back = frame.f_back
        caller = self._frames.get(id(back)) if back is not None else None
        if caller is not None:
            caller.returned = value
            state = self._frames.get(id(frame))
            if state is not None:
                self._follower.leaves(state, value)
        if not frame.f_code.co_flags & _GENERATOR:
            self._frames.pop(id(frame), None)

    def raised(self, frame: FrameType, error: BaseException) -> None:
        """An exception leaves a frame."""
        state = self._frames.pop(id(frame), None)
        if state is not None and not isinstance(error, StopIteration | GeneratorExit):
            self._consulted.refuse(f"{type(error).__name__} is raised", state.origin())

    def caught(self, frame: FrameType, error: BaseException) -> None:
        """A user's frame goes on after an exception."""
        state = self._frames.get(id(frame))
        if state is None:
            return
        pending = state.pending()
        if isinstance(error, GeneratorExit) and state.code.co_name == "<genexpr>":
            state.lost = True  # nobody asks for the rest
            return
        if isinstance(error, StopIteration) and pending and pending.name == "FOR_ITER":
            return
        self._consulted.refuse(f"{type(error).__name__} is caught", state.origin(pending))
        state.lost = True

    # --- frames

    def _is_ours(self, frame: FrameType, kind: str) -> bool:
        """Whether a frame that no followed code called runs for graphc: a library that it uses."""
        if frame.f_code is getattr(self._top, "__code__", None):
            return False
        if kind == LIBRARY:
            return True
        back = frame.f_back
        installed = "site-packages" in frame.f_code.co_filename
        return installed and back is not None and self._kind(back) not in (OWN, LAYER)

    def _kind(self, frame: FrameType) -> str:
        """What a frame's code is."""
        code = frame.f_code
        found = self.kinds.get(id(code))
        if found is None:
            self._kept.append(code)
            found = kind_of_code(code, str(frame.f_globals.get("__name__", "")))
            self.kinds[id(code)] = found
        return found

    def _begin(self, frame: FrameType, caller: Frame | None) -> None:
        """A user's frame begins: its function, its closure, what it was called with."""
        state = self._frames[id(frame)] = Frame(frame)
        code, consulted = frame.f_code, self._consulted
        callee = caller.callee() if caller is not None else NOTHING
        if isinstance(callee, NewFunction) and callee.code is code:
            state.cells = callee.cells
        else:
            self._find_function(state, callee)
        if code.co_flags & _KEYWORDS:
            count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
            consulted.made(state.local(code.co_varnames[count]))
        if isinstance(callee, type) and code.co_name == "__init__":
            owner = state.local(code.co_varnames[0])
            if type(owner) is callee and in_class(callee, "__new__") is object.__new__:
                consulted.made(owner)
        if code is getattr(self._top, "__code__", None) and not self._started:
            self._started = True
            self._arguments(state)
        if ".0" in code.co_varnames:
            state.iterator = self._follower.iterators.get(id(code))
            if isinstance(callee, NewFunction) and callee.code is code and caller is not None:
                state.iterator = caller.stack[-1] if caller.stack else None
            if not isinstance(state.iterator, Unknown):
                state.iterator = None
        state.locals_ = None

    def _arguments(self, state: Frame) -> None:
        """The containers among the call's arguments: a call's structure is compared apart."""
        function = state.function
        defaults = (
            *(getattr(function, "__defaults__", None) or ()),
            *(getattr(function, "__kwdefaults__", None) or {}).values(),
        )
        kept = {id(value) for value in defaults}
        code = state.code
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
        count += bool(code.co_flags & _KEYWORDS)
        for name in code.co_varnames[:count]:
            value = state.local(name)
            if id(value) not in kept:
                self._consulted.given(value)

    def _find_function(self, state: Frame, callee: Any) -> None:
        code, origin = state.code, state.origin()
        function = function_with(callee, code) or self._functions.get(id(code))
        if function is None:
            function = self._by_owner(state) or self._by_code(state)
        if function is None or self._consulted.is_made(function):
            made = self._follower.made.get(id(code))
            if made is None and (code.co_freevars or function is None):
                self._consulted.refuse(f"{code.co_name} is a function that was not found", origin)
            state.cells = dict(made or {})
            return
        state.function = function
        self._consulted.function(function, origin)
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            state.cells[name] = Outer(None if self._is_local(state.frame, name) else cell)

    def _by_owner(self, state: Frame) -> FunctionType | None:
        """The function as the class of its first argument has it."""
        code = state.code
        if not code.co_argcount:
            return None
        owner = state.local(code.co_varnames[0])
        class_ = owner if isinstance(owner, type) else type(owner)
        found = function_with(in_class(class_, code.co_name), code)
        if found is not None:
            self._consulted.of_class(class_, code.co_name, state.origin())
        return found

    def _by_code(self, state: Frame) -> FunctionType | None:
        """The one function that has this code."""
        if id(state.code) in self._follower.made:
            return None
        found = [
            f for f in gc.get_referrers(state.code)
            if isinstance(f, FunctionType) and f.__code__ is state.code
        ]  # fmt: skip
        if len(found) != 1:
            return None
        self._functions[id(state.code)] = found[0]
        return found[0]

    def _is_local(self, frame: FrameType, name: str) -> bool:
        """Whether a free name is a local of traced code that is running: `[f(x) for f in fs]`."""
        owner = frame.f_back
        while owner is not None and owner is not self._outside:
            if name in owner.f_code.co_cellvars and holds(owner.f_code, frame.f_code):
                return True
            owner = owner.f_back
        return False

    def _layer(self, frame: FrameType) -> None:
        """What code of our modules, optimizers and `Function` finds in what it belongs to."""
        code = frame.f_code
        owner = frame.f_locals.get(code.co_varnames[0])
        kind = known.kind_of(type(owner))
        origin = Origin(code.co_filename, code.co_firstlineno, code.co_name)
        if kind == known.MODULE:
            self._consulted.module(owner, origin)
        elif kind == known.OPTIMIZER:
            if self._consulted.optimizer(owner, origin):
                self._optimizers.append((owner, origin))
        elif not isinstance(owner, type):
            return
        class_ = owner if isinstance(owner, type) else type(owner)
        names = (*code.co_names, "forward") if not isinstance(owner, type) else _FUNCTION
        for base in class_.__mro__:
            if known.is_ours(base.__module__):
                continue
            for name in names:
                if name in base.__dict__ and not name.startswith("__d"):
                    self._consulted.of_class(class_, name, origin)


class _Identical(Reading):
    """An object that must stay the same one, whatever it holds."""

    __slots__ = ()

    def __init__(self, what: str, find: Any, origin: Origin) -> None:
        super().__init__(what, find, None, origin)
        self.value, self.fixed = find(), True

    def holds(self) -> bool:
        return self.find() is self.value

    def __str__(self) -> str:
        return f"{self.what} = this {type(self.value).__name__}"


# What `Function.apply` looks for in a class.
_FUNCTION = ("forward", "backward", "setup_context")


def _hooks_of_all() -> Any:
    """How many hooks of every module and of every optimizer there are."""
    calling = sys.modules.get("graphc.nn.module.calling")
    hooks = sys.modules.get("graphc.optim.hooks")
    names = ("EVERY_FORWARD_PRE", "EVERY_FORWARD", "EVERY_BACKWARD", "EVERY_BACKWARD_PRE")
    found = [tuple(getattr(calling, name, ())) for name in names]
    return (*found, *(tuple(getattr(hooks, name, ())) for name in ("EVERY_PRE", "EVERY_POST")))


__all__ = ["Reading", "Unproven", "Watch", "fingerprint", "shown"]

"""One call of a compiled function by running its Python over traced tensors.

The Python runs, and so do its side effects. What it computes is asked of the tree of requests
(`trace.steps`); the program found at the end computes all of it at once.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from graphc.core.garbage import uncollected
from graphc.core.ir import caller, toposort
from graphc.core.origin import is_internal
from graphc.core.profilers import put_back
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.signature import _sized_by
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import TraceError
from graphc.jit.arguments import Arguments, restored
from graphc.jit.ending import Ending, decide_constants
from graphc.jit.form import Form
from graphc.jit.guarded import Guarded, reasons_against, requires
from graphc.jit.recipe import Recipe
from graphc.jit.roots import sizes_in
from graphc.jit.trace.consulted import Unproven
from graphc.jit.trace.naming import Names
from graphc.jit.trace.refused import Refused, refusal
from graphc.jit.trace.sizes import TracedSize
from graphc.jit.trace.steps import Root
from graphc.jit.trace.tracing import Trace
from graphc.jit.trace.watching import Watch
from graphc.jit.variant import Variant


class Run:
    """A call under way.

    Args:
        owner: the compiled function: its Python, its options, its variants.
        root: where the requests begin.
        arguments: of the call.
        decide: gives the value of a traced tensor that Python asks for, or raises.
        fixed: gives the root of the call's own sizes.
        watched: whether to note what Python consults.
    """

    def __init__(
        self, owner: Any, root: Root, arguments: Arguments, decide: Callable[..., Any],
        fixed: Callable[[], Root], watched: bool,
    ) -> None:  # fmt: skip
        self.owner = owner
        self.arguments = arguments
        self.root = root
        self.trace = trace = Trace(decide, root)
        self.fixed = trace.fixed = fixed
        trace.settle = self._settle
        trace.replace = owner._kept.replace
        names: list[Names] = []

        def known(tensor: Tensor) -> str:
            if not names:
                names.append(Names(owner._function))
            return names[0].of(tensor)

        trace.known = known
        trace.symbols = sizes_in(root, arguments.tensors)
        trace.sizes = {symbol.name: size for symbol, size in trace.symbols.items()}
        self.stand_ins = [trace.argument(t, n) for t, n in zip(arguments.tensors, root.inputs)]
        self.watch = Watch(owner._function) if watched else None
        self.ending: Ending | None = None
        self.recipe: Recipe | None = None
        self.where: Any = self.watch._place() if self.watch is not None else None
        self.variant: Variant | None = None
        self.guarded: Guarded | None = None
        self.reasons: list[Any] = []
        self._result: Any = None
        self.ending_has_history = False
        self.is_only = False  # whether there is no other run of the function
        self.found_variant = False  # whether an earlier run had ended alike
        self._requires = tuple([requires(t._edge) for t in arguments.tensors])

    def __call__(self) -> Any:
        """Run the function; give what it returns."""
        # Before containers hold what stands for the tensors in them.
        form = self.form() if self.watch is not None else None
        raised: list[Exception] = []

        def traced() -> tuple[Any, Ending | None, Recipe | None]:
            args, kwargs = self.arguments.lend(self.stand_ins)
            try:
                self._result = self._called(args, kwargs)
            except Exception as error:
                if isinstance(error, TypeError) and self.trace.python_sizes:
                    self._explain(error)
                raised.append(error)
            if self.trace.exposed and not self.trace.left:
                self.trace.check_exposed()
            ending = self._ended() if not self.trace.left else None
            self._check_impure()
            result, self._result = self._result, None
            if ending is None or self.watch is None or raised:
                return result, ending, None
            return result, ending, Recipe(ending, [result], self.where)

        try:
            result, ending, recipe = self._traced(traced)
            if ending is not None:
                self.ending_has_history = bool(ending.histories)
                self._finish(ending)
            if recipe is not None and form is not None:
                self._prove(recipe, form)
        finally:
            is_changed = self.arguments.take_back(self._real)
        if is_changed and recipe is not None:
            self.reasons.append(Unproven("a container of the arguments was changed", self.where))
        if not raised:
            result = restored(result, self._real)
        self._let_go(_references(raised[0]) if raised else {})
        if raised:
            raise raised[0]
        return result

    def _explain(self, error: TypeError) -> None:
        """Say that a size may have been what a function takes no number in place of."""
        if not self.trace.root.is_fixed:
            self.root.needs_numbers = "code that was given sizes raised a TypeError"
            error.add_note(
                f"graphc: {self.owner._name} was being traced with symbolic sizes, which some "
                "functions take no ints in place of; calls from here on have numbers, and so have "
                "all calls with dynamic=False"
            )

    def _let_go(self, in_variables: Mapping[int, int]) -> None:
        """What stood for numbers, and for the caller's tensors, is replaced where Python kept it.

        Args:
            in_variables: how often variables of functions that an error ended hold objects, by
                identity: these keep what they have.
        """
        kept, trace = self.owner._kept, self.trace
        sizes = [size for ref in trace.python_sizes if (size := ref()) is not None]
        if sizes:
            # To look for who holds them takes long: later calls go by numbers from the start.
            self.root.needs_numbers = "a size is kept beyond the call"
            kept.replace(sizes, [size.number for size in sizes])
        if kept.caches:
            raise self._cached()
        left = []
        for stand_in in self.stand_ins:
            real = trace.reals[id(stand_in)]
            # Two containers of the run's, a variable, an argument; and often a third container.
            count = 4 + (trace.by_array.get(id(real._array)) is stand_in)
            count += in_variables.get(id(stand_in), 0)
            if sys.getrefcount(stand_in) > count:
                kept.replace_at_hand(stand_in, real)
                if sys.getrefcount(stand_in) > count:
                    left.append(stand_in)
        if left:
            known = tuple(map(id, (self.stand_ins, trace.stand_ins, trace.by_array)))
            kept.replace(left, [trace.reals[id(each)] for each in left], known)

    def _cached(self) -> TraceError:
        """The error for a size that a cache goes by."""
        names = sorted({str(getattr(c, "__qualname__", c)) for c in self.owner._kept.caches})
        self.owner._kept.caches.clear()
        return TraceError(
            f"{self.owner._name}: a cache of functools goes by a symbolic size",
            [f"the cached function: {name}" for name in names[:4]],
            where=caller(),
            hint="give it int(size); calls from here on have numbers, and so have all calls with "
            "dynamic=False",
        )

    def _traced(self, body: Callable[[], Any]) -> Any:
        """What a function gives that runs while the trace is under way."""
        trace = self.trace
        trace.check_alone()
        recording, profile = state.enabled, sys.getprofile()
        # No `with`: an interrupt may come where Python enters `__exit__`.
        try:
            tracing.trace = trace
            hot.slow += 1
            return body()
        except Refused as refused:
            raise refused.error.with_traceback(None) from None
        finally:
            tracing.trace = None
            trace.settle = None  # it holds the run: without it the run goes when its call does
            hot.slow -= 1
            state.enabled = recording
            put_back(profile)
            trace.has_ended = True

    def _prove(self, recipe: Recipe, form: Form) -> None:
        """See whether later calls can do without Python."""
        assert self.watch is not None and self.variant is not None
        self.reasons = reasons_against(self.trace, self.watch, recipe, self.where)
        self.guarded = Guarded(self.variant, recipe, self.trace, self.watch, self._requires, form)
        self.variant.reads_values = bool(self.trace.read_arguments or self.trace.has_evaluated)

    def form(self) -> Form:
        """The form of the call's arguments."""
        given = self.arguments
        return Form.of(given.args, given.kwargs, given.tensors, self.owner._signature)

    def _check_impure(self) -> None:
        """Refuse code that asks for identities, and clocks where that is wanted."""
        if self.watch is not None and self.watch.impure and self.owner._options.impure == "error":
            raise refusal(
                f"{self.owner._name}: the traced code used a value that is another one at every "
                "call",
                self.watch.impure[:6],
                where=caller(),
                hint='pass it as a tensor argument, draw with gc.rand, or impure="run"',
            )
        # A traced tensor's identity is another at every call.
        watch = self.watch
        lines = [] if watch is None else [i for i in watch.impure if i[:4] == "id()"]
        lines += [] if watch is None else watch.identities
        if lines:
            raise refusal(
                f"{self.owner._name}: the traced code asks for identities",
                lines[:6],
                where=caller(),
                hint="use the tensor itself as a key, or a name of your own; of a size use "
                "int(size), isinstance or ==; calls from here on have numbers for sizes",
            )

    def explore(self) -> Run:
        """Run the function without effect: no program runs, no tensor gets a value."""
        versions = [(t.version(), t.version().count) for t in self.arguments.tensors]

        def traced() -> None:
            args, kwargs = self.arguments.lend(self.stand_ins)
            result = self._called(args, kwargs)
            decide_constants(self.trace)
            self.ending = Ending(self.trace, True, result)
            self.recipe = Recipe(self.ending, [result], self.where)

        try:
            self._traced(traced)
        finally:
            self.arguments.undo()
            for version, count in versions:
                version.count = count
        return self

    def _called(self, args: Any, kwargs: Any) -> Any:
        if self.watch is None:
            return self.owner._function(*args, **kwargs)
        with uncollected(), self.watch:
            return self.owner._function(*args, **kwargs)

    def _real(self, value: Any) -> Any:
        """The caller's tensor for a traced argument, its tuple for one that has such inside, the
        number of a size; else the value."""
        if isinstance(value, TracedSize):
            return value.number
        if isinstance(value, Tensor):
            return self.trace.reals.get(id(value), value)
        return self.arguments.tuple_of(value)

    def _ending(self) -> Ending:
        decide_constants(self.trace)
        return Ending(self.trace, self.owner._options.keep_grads, self._result)

    def _ended(self) -> Ending:
        """What the run leaves, once it is known which program gives it."""
        trace = self.trace
        ending = self._ending()
        if self.is_only and ending.has_others:
            ending.forget()
        variant = self._covering(ending)
        if variant is None and not trace.root.is_fixed and _is_untold(ending, trace):
            trace.to_numbers("a size is that of no input of the program")
            ending = self._ending()
            variant = self._covering(ending)
        if variant is None and trace.at.leaves:
            # What only garbage holds is no result.
            ending.forget()
            variant = self._covering(ending)
        self.variant = variant or self.owner._added(trace, ending, self.arguments)
        self.found_variant = self.variant.made_by != trace.first
        return ending

    def _settle(self) -> None:
        """End the trace in the middle of the run: all traced tensors get their values."""
        self.trace.check_exposed()
        ending = self._ended()
        tracing.trace = None
        self.trace.has_ended = True
        self._finish(ending)

    def _finish(self, ending: Ending) -> None:
        """Run the program; give tensors their values and histories."""
        variant, trace = self.variant, self.trace
        assert variant is not None
        arrays = [trace.given[n] for n in variant.inputs]
        outside = variant.outside if ending.histories else None
        if outside is None:
            values, _ = variant.run(arrays, trace.live_now())
            ending.fill(values, arrays)
            ending.give_histories(lambda edge: edge)
            return
        tensors: dict[Any, Tensor] = {t.node: t.tensor for t in trace.touched.values()}
        tensors |= {trace.placeholders[key]: real for key, real in trace.reals.items()}
        tape = [ref for _, ref in trace.steps_recorded]

        def tensor_of(node: Any) -> Tensor:
            return tensors[node] if node in tensors else wrap(node.state.array)

        def end_of(edge: Any) -> Any:
            place, slot = variant.ends[edge]
            return tape[place]().edges[slot]

        copies = outside.before(tensor_of)
        values, saved = variant.run(arrays, trace.live_now())
        ending.fill(values, arrays)
        real = outside.attach(tensor_of, ending.alive, saved, copies, end_of)
        ending.give_histories(lambda edge: real((variant.tape[ending.places[edge[0]]], edge[1])))

    def _covering(self, ending: Ending) -> Variant | None:
        """The variant of the path's end that gives what the run leaves."""
        return next((v for v in self.trace.at.leaves if v.covers(ending)), None)


def _references(error: BaseException) -> Counter[int]:
    """How often functions that an error ended hold objects, by identity; graphc's own let go."""
    found: Counter[int] = Counter()
    at = error.__traceback__
    while at is not None:
        frame, at = at.tb_frame, at.tb_next
        if is_internal(frame.f_code):
            with suppress(RuntimeError):  # it runs still
                frame.clear()
            continue
        held = gc.get_referents(frame)
        found.update(map(id, held))
        # Before Python 3.13, `f_locals` that somebody read is a dict that the frame keeps.
        if any(type(each) is dict for each in held) and type(frame.f_locals) is dict:
            found.update(map(id, frame.f_locals.values()))
    return found


def _is_untold(ending: Ending, trace: Trace) -> bool:
    """Whether what a run leaves has a symbolic size that is no axis of an input it uses."""
    roots = [*ending.nodes, *ending.updates.values()]
    if not roots:
        return False
    used = toposort(roots)
    taken = [n for n in (*trace.root.inputs, *trace.given) if n in used]
    return bool(_sized_by(trace.root.inputs, roots, taken))


__all__ = ["Run"]

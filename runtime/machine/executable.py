"""A program in memory: kernels loaded, arguments laid out, frames kept for the next call.

    executable = Executable(graph, steps, threads=None)
    executable.memory = plan                     # of what `arena_values` and `workspaces` say
    call = executable.bind({"n": 64})            # once for each set of sizes
    failure = executable.run(call, [x, out])     # one native call
    if failure: site, value, limit = failure

What depends on sizes is worked out by `bind`. What depends on memory is kept in frames, one a set
of sizes; frames of one slot share an arena, and every call under way has a slot of its own. So a
call with sizes that were seen before allocates nothing. Homes of values are settled in `homes`.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc import config
from graphc.core import observing
from graphc.core.access import Access, access, enter, leave
from graphc.core.dims import Dim
from graphc.core.ir import Graph, Node, tensor_type
from graphc.core.results import value_of
from graphc.errors import InternalError
from graphc.ops.source import Bound, Parameter
from graphc.ops.state import State, bring_home
from graphc.runtime.base import bounds, poison
from graphc.runtime.base import homes as places
from graphc.runtime.base.arena import ALIGNMENT, DATA, aligned, allocate, word_at
from graphc.runtime.base.homes import Copy, External, Held, Home, Planned, Staged
from graphc.runtime.base.kernel import Kernel, sources
from graphc.runtime.base.step import (
    Child,
    Number,
    Site,
    Sized,
    StatusBlock,
    Step,
    Value,
    Workspace,
    evaluate,
)
from graphc.runtime.checks import overlaps
from graphc.runtime.machine import machine, team
from graphc.runtime.machine.call import MAX_CALLS, Call, Calls, Memory, Slot
from graphc.runtime.objects import loader


class Executable:
    """Native code and memory of one program.

    Args:
        graph: the final graph; outputs that are not aliases are the results.
        steps: its lowering, in the graph's order.
        threads: most threads that share a call; None for the setting.
        numbers: the sites of the program that this one is nested in.

    Attributes:
        loaded: the kernels that steps run, in order, those of `children` after them.
        children: the programs that steps run: bodies of loops, branches.
        nested: these with their names, by the number of the step.
        launches: the steps and copies in the order in which they run.
        kernels: their sources by name.
        sites: the node that each number in the status block names, from 1.
        arena_values: values that live in the arena, as (node, k) for a node's k-th result.
        workspaces: scratch memory of nodes: pairs of a name and bytes.
        memory: the plan of these; what it doesn't know gets room of its own.
        checks: the words of GRAPHC_CHECK that were in force.
        is_poisoned: whether calls fill memory first and look at red zones; see `poison`.
    """

    is_native = True

    def __init__(
        self,
        graph: Graph,
        steps: Sequence[Step],
        threads: int | None = None,
        numbers: dict[Any, int] | None = None,
    ) -> None:
        self.graph = graph
        self.memory: Memory | None = None
        self.threads = threads
        self.checks = config.current().check
        self.is_poisoned = "poison" in self.checks
        self._margin = poison.RED_ZONE if self.is_poisoned else 0
        self.steps = steps
        self.homes = places.settle(graph, steps)
        self.launches = self.homes.steps
        self._numbers: dict[Any, int] = {} if numbers is None else numbers
        self.children: list[Executable] = []
        self._child_words: list[int] = []
        self.nested: dict[int, list[tuple[str, Executable]]] = {}
        self.kernels: dict[str, str] = {}
        self._constants: list[tuple[int, Sized]] = []
        self._arena_words: list[tuple[int, Home | tuple[Node, str]]] = []
        self._status_words: list[int] = []
        self.workspaces: dict[Node, dict[str, Sized]] = {}
        self._patches: list[tuple[int, int]] = []
        self._nwords = 0
        self._bound: Call | None = None
        self._lay_out()
        self.sites = list(self._numbers)
        self._calls = Calls()
        self._slots: list[Slot] = []
        bound = [n for n in graph.inputs if isinstance(n, Bound)]
        # Constants never change, so nobody waits for them.
        self._reads = [n.state for n in bound if isinstance(n, Parameter)]
        self._writes = [graph.inputs[k].state for _, k in graph.aliases]  # type: ignore[attr-defined]
        # None for a program without state. The machine's run is one call of a C function.
        touches = self._reads or self._writes
        self._claim = Access(self._reads, self._writes, whole=True) if touches else None
        aliased = dict(graph.aliases)
        self.results = [o for k, o in enumerate(graph.outputs) if k not in aliased]
        self._nexternals = len(graph.inputs) - len(bound) + len(self.results)
        self._pack = struct.Struct(f"{self._nexternals}q").pack_into

    def _lay_out(self) -> None:
        """Give every step its words in the args table, load the kernels, make the step table."""
        rows: list[tuple[Kernel, int, int, int, bool, bool]] = []
        for number, step in enumerate(self.launches):
            kernel = bounds.checked(
                places.COPY if isinstance(step, Copy) else step.kernel, self.checks
            )
            if "bounds" in kernel.checks:
                self._bounds_words(step)
            first, nested = self._nwords, len(self.children)
            if isinstance(step, Copy):
                grain, extent = places.COPY_GRAIN, places.nbytes(step.node, step.index)
                self._home_word(step.source)
                self._home_word(step.target)
            else:
                grain, extent = step.grain, step.extent  # type: ignore[assignment]
                for argument in step.args:
                    self._argument_word(argument)
            self._constant_word(extent)
            commit, control = number >= self.homes.commits_from, len(self.children) > nested
            if control:
                self.nested[number] = [(c.graph.name, c) for c in self.children[nested:]]
            rows.append((kernel, first, self._nwords - 1, grain, commit, control))
        self.loaded: list[Kernel] = [row[0] for row in rows]
        for child in self.children:
            self.loaded += child.loaded
        self.kernels = sources(self.loaded)
        self._load(rows)

    def _load(self, rows: Sequence[tuple[Kernel, int, int, int, bool, bool]]) -> None:
        """Make the step table of (kernel, its first word, the extent's, grain, commit, control)."""
        # So that the first call needn't.
        team.functions_alone()
        self.table = machine.Table(
            [
                machine.Step(address, first, machine.from_args(extent), grain, commit, control)
                for address, (_, first, extent, grain, commit, control) in zip(
                    self._addresses([row[0] for row in rows]), rows
                )
            ],
            self._patches,
        )

    def _addresses(self, kernels: Sequence[Kernel]) -> Sequence[int]:
        """The machine code of kernels; where another kind of machine begins to differ."""
        return loader.load(kernels)

    def _held(self, state: Any) -> int:
        """The address of a parameter's memory."""
        return state.array.ctypes.data

    def _bounds_words(self, step: Step | Copy) -> None:
        """The words before the args of a step whose accesses are tested; see `bounds`."""
        for size in reversed(bounds.sizes_of(step)):
            self._constant_word(size)
        number = self._numbers.setdefault(bounds.Access(step), len(self._numbers) + 1)
        self._constant_word(bounds.Access.code(number))
        self._status_words.append(self._word())

    def _argument_word(self, argument: object) -> None:
        if isinstance(argument, Value):
            self._home_word(self.homes.of[value_of(argument.node, argument.index)])
        elif isinstance(argument, Number):
            self._constant_word(argument.size)
        elif isinstance(argument, Workspace):
            key = (argument.node, argument.key)
            self.workspaces.setdefault(argument.node, {})[argument.key] = argument.nbytes
            self._arena_words.append((self._word(), key))
        elif isinstance(argument, StatusBlock):
            self._status_words.append(self._word())
        elif isinstance(argument, Site):
            number = self._numbers.setdefault(argument.node, len(self._numbers) + 1)
            self._constant_word(number)
        elif isinstance(argument, Child):
            self._child_word(argument)
        else:
            raise InternalError(f"a step has the argument {argument!r}")

    def _child_word(self, argument: Child) -> None:
        child = type(self)(argument.graph, argument.steps, self.threads, self._numbers)
        self.children.append(child)
        self._child_words.append(self._word())
        self._argument_word(Workspace(argument.node, f"{argument.key} arena", child.arena_nbytes))

    def _word(self) -> int:
        self._nwords += 1
        return self._nwords - 1

    def _constant_word(self, size: Sized) -> None:
        self._constants.append((self._word(), size))

    def _home_word(self, home: Home) -> None:
        if isinstance(home, External):
            self._patches.append((self._word(), home.position))
        elif isinstance(home, Held):
            self._constant_word(self._held(home.node.state))  # type: ignore[attr-defined]
        else:
            self._arena_words.append((self._word(), home))

    def bind(self, sizes: Mapping[str, int]) -> Call:
        """Work out all that sizes decide.

        Args:
            sizes: the size of every symbol, by name.
        """
        call = Call(sizes)
        call.words = np.zeros(max(self._nwords, 1), np.int64)
        known: dict[Any, int] = {}
        for word, size in self._constants:
            if isinstance(size, Dim):
                if size not in known:
                    known[size] = evaluate(size, sizes)
                call.words[word] = known[size]
            else:
                call.words[word] = evaluate(size, sizes)
        call.children = [child.bound(sizes) for child in self.children]
        offsets, call.arena_nbytes = self._offsets(sizes)
        if self.checks & {"1", "2"}:
            nbytes = {home: evaluate(self._arena_nbytes(home), sizes) for home in offsets}
            overlaps.check(self.homes, self.memory, offsets, nbytes)
        if self.is_poisoned:
            call.red_zones = self._red_zones(call, offsets)
        call.arena_offsets = np.array([offsets[key] for _, key in self._arena_words], np.int64)
        for node in self.results:
            type_ = tensor_type(node)
            shape = tuple(evaluate(d, sizes) for d in type_.shape)
            call.outputs.append((shape, type_.dtype.numpy))
        return call

    def bound(self, sizes: Mapping[str, int]) -> Call:
        """As `bind`; the last sizes' call is kept."""
        call = self._bound
        if call is None or call.sizes != dict(sizes):
            call = self._bound = self.bind(sizes)
        return call

    def arena_nbytes(self, sizes: Mapping[str, int]) -> int:
        """The bytes of the arena for a set of sizes."""
        return self.bound(sizes).arena_nbytes

    @property
    def arena_values(self) -> list[tuple[Node, int]]:
        """Values that live in the arena."""
        return [home.key for _, home in self._arena_words if isinstance(home, Planned)]

    def _offsets(self, sizes: Mapping[str, int]) -> tuple[dict[Any, int], int]:
        """The offset of everything in the arena, and the arena's bytes."""
        planned: dict[Any, int] = {}
        total = 0
        if self.memory is not None:
            placement = self.memory.place(sizes, self._margin)
            planned = {b.key: o for b, o in zip(self.memory.buffers, placement.offsets)}
            total = aligned(placement.total)
        found: dict[Any, int] = {}
        for _, home in self._arena_words:
            key = home.key if isinstance(home, Planned) else home
            if key in planned:
                found[home] = planned[key]
            elif home not in found:
                found[home] = total
                total = aligned(total + evaluate(self._arena_nbytes(home), sizes) + self._margin)
        return found, total

    def _red_zones(self, call: Call, offsets: Mapping[Any, int]) -> poison.RedZones:
        """The red zones of a call's arena, and of the arenas that lie in it."""
        placed = [
            (offset, evaluate(self._arena_nbytes(home), call.sizes), home)
            for home, offset in offsets.items()
        ]
        at = {word: offsets[home] for word, home in self._arena_words}
        nested = [(at[w + 1], c.red_zones) for w, c in zip(self._child_words, call.children)]
        return poison.RedZones(placed, call.arena_nbytes, nested)

    def _arena_nbytes(self, home: Any) -> Sized:
        if isinstance(home, Planned):
            return places.nbytes(*home.key)
        if isinstance(home, Staged):
            return places.nbytes(home.node)
        node, name = home
        return self.workspaces[node][name]

    def describe(self, sizes: Mapping[str, int]) -> list[tuple[str, int, int, bool]]:
        """Each of `launches` for people: kernel, extent, grain, whether it may write state."""
        found = []
        for number, step in enumerate(self.launches):
            is_copy = isinstance(step, Copy)
            extent = places.nbytes(step.node, step.index) if isinstance(step, Copy) else step.extent
            name = places.COPY.name if is_copy else step.kernel.name  # type: ignore[union-attr]
            grain = places.COPY_GRAIN if is_copy else step.grain  # type: ignore[union-attr]
            commit = number >= self.homes.commits_from
            found.append((name, evaluate(extent, sizes), grain, commit))
        return found

    def find(self, key: object) -> Call | None:
        """The call that was kept under `key`."""
        return self._calls.get(key)

    def keep(self, key: object, call: Call) -> None:
        """Keep a call under `key`; the one unused for longest makes room."""
        self._calls.keep(key, call)

    def run(
        self, call: Call, arrays: Sequence[np.ndarray], times: list[int] | None = None
    ) -> tuple[int, int, int] | None:
        """Run the program once.

        Args:
            call: from `bind`, for these arrays' shapes.
            arrays: inputs, then results; C-contiguous, aligned, of the declared types.
            times: a list that gets the nanoseconds of each of `launches`.

        Returns:
            None, or what the first check that failed recorded: its site, value and limit. Then
            no state was written.
        """
        turn = object()
        observer = observing.observer
        if observer is not None and times is None:
            times = []
        try:
            slot = self._slots.pop()
        except IndexError:
            slot = Slot()
        found = slot.frames.get(call)
        if found is None or found[0] != slot.arena_address:
            found = self._frame(slot, call)
        _, frame, externals = found
        if DATA:
            self._pack(externals, 0, *[word_at(id(a) + DATA).value for a in arrays])
        else:
            self._pack(externals, 0, *[a.ctypes.data for a in arrays])
        call.used = True
        if self.is_poisoned:
            poison.fill_before_call(slot.arena_bytes(call), arrays, len(self.results))
        if times is not None or frame.measured:
            frame.measure(times is not None)
        if self._claim is None:
            status = frame.run()
        else:
            try:
                enter(turn, self._claim)
                if State.is_copied:
                    bring_home(self._reads, self._writes)
                status = frame.run()
            finally:
                leave(turn)
        if times is not None:
            times[:] = frame.times.tolist()
            if observer is not None:
                observer.native(self, call, times)
        if self.is_poisoned:
            call.red_zones.check(slot.arena_bytes(call))
        failure = None
        if status:
            site, value, limit = frame.status[:3].tolist()
            failure = site, value, limit
            if site & bounds.OUTSIDE:
                outside: Any = self.sites[bounds.Access.number(site) - 1]
                raise outside.failed(site, value, limit)
        # Only here: a slot whose call was interrupted is dropped, with whatever state it was in.
        self._slots.append(slot)
        return failure

    def profile(
        self, call: Call, arrays: Sequence[np.ndarray], repeat: int
    ) -> tuple[list[int], int]:
        """The nanoseconds of each of `launches`, and of the whole: of the fastest of some runs.

        State that the program updates is put back.
        """
        slot = Slot()
        _, frame, externals = self._frame(slot, call)
        self._pack(externals, 0, *[a.ctypes.data for a in arrays])
        best: tuple[list[int], int] = [0] * len(self.launches), 0
        with access(self._reads, self._writes):
            bring_home(self._reads, self._writes)
            before = [state.array.copy() for state in self._writes]
            for turn in range(repeat + 1):
                try:
                    frame.measure()
                    start = time.perf_counter_ns()
                    frame.run()
                    whole = time.perf_counter_ns() - start
                finally:
                    for state, array in zip(self._writes, before):
                        state.array[...] = array
                if turn == 0 or whole < best[1]:
                    best = frame.times.tolist(), whole
        return best

    def _frame(self, slot: Slot, call: Call) -> tuple[int, machine.Frame, Any]:
        """A frame for this call whose args point into the slot's arena."""
        if call.arena_nbytes > slot.arena.nbytes - ALIGNMENT:
            # The smaller arena goes first: both may not fit.
            slot.arena = np.zeros(0, np.uint8)
            slot.arena_address = 0
            slot.arena = allocate(call.arena_nbytes + ALIGNMENT)
            slot.arena_address = aligned(slot.arena.ctypes.data)
        found = slot.frames.get(call)
        if found is None:
            frame = machine.Frame(self.table, self._nwords, self._nexternals, self.threads)
            while len(slot.frames) >= MAX_CALLS:
                del slot.frames[next(iter(slot.frames))]
        else:
            frame = found[1]
        self._fill(frame, call, slot.arena_address)
        externals = memoryview(frame.externals).cast("B")  # type: ignore[arg-type]
        slot.frames[call] = (slot.arena_address, frame, externals)
        return slot.frames[call]

    def _fill(self, frame: machine.Frame, call: Call, arena_address: int) -> None:
        """The args of a frame for a call, its arena at an address; and the frames of children."""
        frame.args[: len(call.words)] = call.words
        frame.args[self._status_words] = frame.status_address
        words = [word for word, _ in self._arena_words]
        frame.args[words] = call.arena_offsets + arena_address
        inner = []
        for word, child, bound in zip(self._child_words, self.children, call.children):
            one = machine.Frame(child.table, child._nwords, child._nexternals, self.threads)
            child._fill(one, bound, int(frame.args[word + 1]))
            frame.args[word] = one.address
            inner.append(one)
        frame.adopt(inner)

"""What `load` returns of a traced or compiled function: its programs, chosen by the arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dtypes import BY_CODE
from graphc.core.ir import Graph, caller
from graphc.core.trees import Tree, flatten
from graphc.core.types import TensorType
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArchiveError, ArgumentError, DTypeError, ShapeError
from graphc.jit.archive.archive_source import Source
from graphc.jit.archive.manifest import AcceptsRecord, CallRecord
from graphc.jit.form import Form, arranged
from graphc.jit.guarded import requires
from graphc.jit.roots import mismatch
from graphc.ops.source import Parameter
from graphc.program.states import read_states, write_states

_MOST_SHOWN = 6


class LoadedVariant:
    """One program of a loaded function, and the calls that it is for.

    Args:
        program: the `LoadedProgram`.
        call: how a call becomes the program's.
    """

    def __init__(self, program: Any, call: CallRecord) -> None:
        self.program = program
        self.call = call
        self._held: dict[str, Tensor] = {}
        accepts = call.accepts
        self.writes = () if accepts is None else accepts.writes
        self.requires = () if accepts is None else accepts.requires
        self.signature = None if accepts is None else _signature(accepts)
        self.types = [] if accepts is None else _types(accepts)
        self.form = None if accepts is None else _form(accepts, self.signature)
        # Of each tensor the first leaf that is it.
        self._first = list(call.places) if self.form is None else self.form.firsts()

    def other(self, tree: Tree, leaves: Sequence[Any]) -> str:
        """Which argument is another than in the calls that this is for; "" when none is."""
        if self.form is None:
            fits = str(tree) == self.call.form
            return "" if fits else f"the arguments have the form {tree!s:.100}"
        places = self.call.places if tree.count == len(self.form.leaves) else ()
        keys = _keys(leaves, places)
        values = [leaf.item() if isinstance(leaf, np.generic) else leaf for leaf in leaves]
        return self.form.difference(Form.made(tree, values, keys, self.signature))

    def mismatch(self, leaves: Sequence[Any]) -> str:
        """Which tensor has another dtype or size than the program takes; "" when none has."""
        if self.form is None:
            return ""
        given = [_tensor(leaves[k], t) for k, t in zip(self._first, self.types)]
        return mismatch(self.types, given)

    def flags(self, leaves: Sequence[Any]) -> tuple[int, ...]:
        """What `requires` is of a call's tensors."""
        given = [leaves[k] for k in self._first]
        return tuple(requires(t._edge) if isinstance(t, Tensor) else 0 for t in given)

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """Run the program; give what the function returned, with new tensors."""
        given = [leaves[k] for k in self._first]
        arrays = [g._array if isinstance(g, Tensor) else g for g in given]
        self._check_apart(arrays)
        values = self.program(*[arrays[k] for k in self.call.used])
        for number, k in self.writes:
            if isinstance(arrays[number], np.ndarray):
                np.copyto(arrays[number], values[k])
            if isinstance(given[number], Tensor):
                given[number].version().count += 1
        found = [self._result(how, what, values) for how, what in self.call.results]
        return self.call.tree.restore(found)

    def _check_apart(self, arrays: Sequence[Any]) -> None:
        """Refuse memory that is written of which the call has another part."""
        for number, _ in self.writes:
            for k, other in enumerate(arrays):
                if k != number and np.may_share_memory(arrays[number], other):
                    raise ArgumentError(
                        f"{self.program.name}: tensors {number} and {k} of the arguments share "
                        "memory, and the program writes to it",
                        where=caller(),
                        hint="give it a copy: x.clone()",
                    )

    def _result(self, how: str, what: Any, values: Sequence[np.ndarray]) -> Any:
        if how == "out":
            return wrap(values[what])
        if how == "value":
            return what
        if what not in self._held:
            self._held[what] = wrap(self.nodes()[what].state.array)
        return self._held[what]

    def nodes(self) -> dict[str, Any]:
        """What the program is bound to, by the names in the archive."""
        inputs = zip(self.program._saved.record.inputs, self.program.graph.inputs)
        return {record.state: node for record, node in inputs if record.state}

    def source(self, name: str, certificate: Any) -> Source:
        """What `save` writes of it."""
        nodes = self.nodes()

        def call(named: Any) -> CallRecord:
            results = tuple(
                (how, named(nodes[what])) if how == "state" else (how, what)
                for how, what in self.call.results
            )
            return replace(self.call, results=results)

        kept = self.program.certificate if certificate is None else certificate
        return Source(name, self.program, kept, call)

    def described(self) -> str:
        """The arguments that this is for, for people."""
        if self.form is None:
            return self.call.form
        return self.form.described(self.types)


class LoadedFunction:
    """A traced or compiled function that came from a file: called as the function was.

    Of several programs the one runs that was made for such arguments. Results do not require
    gradients. Parameters, buffers and the optimizer's state are the function's own, one for all
    its programs: read and set them with `state()` and `load_state()`.

    Attributes:
        programs: the `gc.Program`s, the latest used first.
        certificate: what was checked when the function was traced.

    Example:
        >>> import graphc as gc
        >>> layer = gc.nn.Linear(3, 1)
        >>> gc.jit.save(gc.jit.trace(layer, gc.ones(2, 3)), "layer.gcz")
        >>> loaded = gc.jit.load("layer.gcz")
        >>> gc.allclose(loaded(gc.ones(2, 3)), layer(gc.ones(2, 3)))
        True
    """

    def __init__(self, variants: Sequence[LoadedVariant]) -> None:
        self._variants = tuple(variants)
        self.programs = tuple(v.program for v in variants)
        self.certificate = self.program.certificate

    @property
    def program(self) -> Any:
        """The program of a function of one; of several the latest used when it was saved.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(lambda x: x * 2, gc.ones(2)), "double.gcz")
            >>> gc.jit.load("double.gcz").program.stats.kernels
            1
        """
        return self.programs[0]

    @property
    def name(self) -> str:
        """The function's name.

        Example:
            >>> import graphc as gc
            >>> def double(x):
            ...     return x * 2
            >>> gc.jit.save(gc.jit.trace(double, gc.ones(2)), "double.gcz")
            >>> gc.jit.load("double.gcz").name
            'double'
        """
        return self.program.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program that was made for such arguments.

        Args:
            args, kwargs: as the function took them, tensors or arrays; what is no tensor must be
                what it was when the program was made.

        Returns:
            What the function returned, with new tensors.

        Raises:
            ArgumentError: no program was made for such arguments.
            DTypeError, ShapeError: a tensor is not what the program takes.
        """
        leaves, tree = flatten(_arranged(self._variants[0].signature, args, kwargs))
        others = [v.other(tree, leaves) for v in self._variants]
        alike = [v for v, other in zip(self._variants, others) if not other]
        if not alike:
            self._refuse(ArgumentError, others[0])
        found = [v.mismatch(leaves) for v in alike]
        fitting = [v for v, reason in zip(alike, found) if not reason]
        if not fitting:
            is_dtype = all(" axes, not " not in r and " has size " not in r for r in found)
            self._refuse(DTypeError if is_dtype else ShapeError, found[0])
        # Those that differ by flags alone: the one of these flags, else the latest used.
        for variant in fitting[:-1]:
            if variant.requires == variant.flags(leaves):
                return variant(leaves)
        return fitting[0](leaves)

    def _refuse(self, kind: Any, reason: str) -> None:
        shown = [f"saved for ({v.described():.200})" for v in self._variants[:_MOST_SHOWN]]
        more = len(self._variants) - len(shown)
        raise kind(
            f"{self.name}: {reason}",
            [*shown, *([f"and {more} more"] if more else [])],
            where=caller(),
            hint="save the function after calls with such arguments",
        )

    def state(self) -> dict[str, np.ndarray]:
        """Copies of the values of all parameters, buffers and other state, by name.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(gc.nn.Linear(3, 1), gc.ones(2, 3)), "layer.gcz")
            >>> {name: value.shape for name, value in gc.jit.load("layer.gcz").state().items()}
            {'weight': (1, 3), 'bias': (1,)}
        """
        return read_states(self._parameters())

    def _parameters(self) -> dict[str, Any]:
        """What can change, by name, once for all programs."""
        nodes = {name: node for v in self._variants for name, node in v.nodes().items()}
        return {name: node for name, node in nodes.items() if isinstance(node, Parameter)}

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Set all state: see `gc.Program.load_state`.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(gc.nn.Linear(2, 1), gc.ones(1, 2)), "layer.gcz")
            >>> loaded = gc.jit.load("layer.gcz")
            >>> loaded.load_state({name: 0 * value for name, value in loaded.state().items()})
            >>> loaded(gc.ones(1, 2))
            tensor([[0.]])
        """
        write_states(self.name, self._parameters(), values)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of all state as tensors by name, for a module's `load_state_dict`.

        Names are the module's own: `0.weight`.

        Example:
            >>> import graphc as gc
            >>> net = gc.nn.Sequential(gc.nn.Linear(2, 1))
            >>> gc.jit.save(gc.jit.trace(net, gc.ones(1, 2)), "net.gcz")
            >>> net.load_state_dict(gc.jit.load("net.gcz").state_dict())
            <All keys matched successfully>
        """
        return {name: wrap(value) for name, value in self.state().items()}

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Set all state to a module's `state_dict()`.

        Args:
            values: tensors or arrays by name. What the programs do not use is left out: a module
                may hold more.

        Raises:
            ArgumentError: a name is missing.
            ShapeError, DTypeError: one does not fit; then nothing was changed.

        Example:
            >>> import graphc as gc
            >>> net = gc.nn.Sequential(gc.nn.Linear(2, 1))
            >>> gc.jit.save(gc.jit.trace(net, gc.ones(1, 2)), "net.gcz")
            >>> loaded = gc.jit.load("net.gcz")
            >>> loaded.load_state_dict(gc.nn.Sequential(gc.nn.Linear(2, 1)).state_dict())
        """
        own = self._parameters()
        given = {name: v for name, v in values.items() if name in own}
        arrays = {n: v._array if isinstance(v, Tensor) else v for n, v in given.items()}
        write_states(self.name, own, arrays)

    def assumes(self) -> list[str]:
        """What the program assumes, a line each.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(lambda x: x * 2, gc.ones(2)), "double.gcz")
            >>> gc.jit.load("double.gcz").assumes()
            ['input 0: f32[2]']
        """
        lines = [line for v in self._variants for line in assumed(v.program.certificate)]
        return list(dict.fromkeys(lines))

    @property
    def graph(self) -> Graph:
        """The graph as it was traced.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(lambda x: x.tanh(), gc.ones(2)), "tanh.gcz")
            >>> gc.jit.load("tanh.gcz").graph.outputs
            (<tanh: f32[2]>,)
        """
        return self.program.graph

    @property
    def code(self) -> str:
        """The graph as readable Python text.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(lambda x: x.tanh(), gc.ones(2)), "tanh.gcz")
            >>> print(gc.jit.load("tanh.gcz").code)
            def traced(x0: f32[2]):
                v0: f32[2] = tanh(x0)
                return v0
        """
        return self.program.code

    def saved_sources(self, name: str, certificate: object) -> list[Source]:
        """What `save` writes of it.

        Example:
            >>> import graphc as gc
            >>> gc.jit.save(gc.jit.trace(lambda x: x.tanh(), gc.ones(2)), "tanh.gcz")
            >>> gc.jit.save(gc.jit.load("tanh.gcz"), "again.gcz")
            >>> gc.jit.load("again.gcz")(gc.zeros(2))
            tensor([0., 0.])
        """
        return [variant.source(name, certificate) for variant in self._variants]

    def __repr__(self) -> str:
        forms = "; ".join(variant.described() for variant in self._variants)
        return f"<loaded function {self.name}({forms:.200})>"


def assumed(certificate: object) -> list[str]:
    """What a program assumes, as far as its certificate says."""
    lines = certificate.get("assumes", []) if isinstance(certificate, dict) else []
    return [str(line) for line in lines] if isinstance(lines, list) else []


def _arranged(
    signature: inspect.Signature | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    args, kwargs = arranged(signature, args, kwargs)
    return list(args), kwargs


def _keys(leaves: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """What tells the tensors of a call apart; None for other leaves."""
    keys: list[Any] = []
    for k, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor | np.ndarray):
            keys.append(("tensor", id(leaf)))
        elif k in places and isinstance(leaf, bool | int | float | np.generic):
            keys.append(("number", k))  # it does for a tensor
        else:
            keys.append(None)
    return keys


def _tensor(leaf: object, type_: TensorType) -> Tensor:
    if isinstance(leaf, Tensor):
        return leaf
    if isinstance(leaf, np.ndarray | np.generic):
        return wrap(np.asarray(leaf))
    return wrap(np.zeros((), type_.dtype.numpy))  # the program converts a number, or refuses it


def _signature(accepts: AcceptsRecord) -> inspect.Signature | None:
    if accepts.signature is None:
        return None
    try:
        return inspect.Signature(
            [
                inspect.Parameter(name, inspect._ParameterKind[kind],
                                  default=default[0] if default else inspect.Parameter.empty)
                for name, kind, default in accepts.signature
            ]
        )  # fmt: skip
    except ValueError as error:
        raise ArchiveError(f"its manifest: the signature of a function: {error}") from None


def _types(accepts: AcceptsRecord) -> list[TensorType]:
    symbols = {
        size[0]: dims.dim(size[0], min=size[1])
        for _, shape in accepts.types for size in shape if isinstance(size, tuple)
    }  # fmt: skip
    return [
        TensorType(BY_CODE[dtype], tuple(s if isinstance(s, int) else symbols[s[0]] for s in shape))
        for dtype, shape in accepts.types
    ]


def _form(accepts: AcceptsRecord, signature: inspect.Signature | None) -> Form:
    leaves = [what for _, what in accepts.leaves]
    keys = [what if how == "tensor" else None for how, what in accepts.leaves]
    return Form.made(accepts.tree, leaves, keys, signature)


__all__ = ["LoadedFunction", "LoadedVariant", "assumed"]

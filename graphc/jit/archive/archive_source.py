"""What is to be saved: programs, and traced functions as programs with a record of their call."""

from __future__ import annotations

import inspect
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node, caller
from graphc.core.trees import Tree, flatten
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, GraphcWarning
from graphc.jit.archive.manifest import AcceptsRecord, CallRecord
from graphc.jit.compiled import Compiled
from graphc.jit.form import Place
from graphc.jit.guarded import Guarded
from graphc.jit.trace.naming import Names
from graphc.jit.traced import Traced
from graphc.ops.source import Parameter
from graphc.program.program import Program
from graphc.runtime.base import kernel
from graphc.runtime.objects import cache


@dataclass(frozen=True, slots=True)
class Source:
    """A program to save.

    Attributes:
        name: in the archive; "" for a lone one.
        program: a `Program`.
        certificate: what JSON holds.
        call: gives the record of a traced function's call, from what names states.
        same: states that are one in the archive, by what they are one with.
        named: the name by which a module or an optimizer knows memory, "" where none does.
    """

    name: str
    program: Program
    certificate: Any
    call: Callable[[Callable[[Any], str]], CallRecord] | None = None
    same: Mapping[Any, Any] = field(default_factory=dict)
    named: Callable[[Any], str] = lambda array: ""

    def first(self) -> Source | None:
        """What runs before the program."""
        first = self.program._build.first
        return None if first is None else replace(self, program=first.program, call=None)

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """The program's compiled kernels with their keys, as the cache has them."""
        if (first := self.first()) is not None:
            yield from first.objects()
        executable = self.program._executable
        for each in executable.loaded:
            key = kernel.key(each)
            data = cache.current().read(key)
            if data is None:
                raise ArgumentError(
                    f"save: kernel {each.name} is not in the cache, so it cannot be added",
                    where=caller(),
                    hint="set GRAPHC_CACHE_DIR to a folder that only you can write to",
                )
            yield key, data


def source_of(name: str, value: object, certificate: object) -> Source:
    """The one program of what can be saved.

    Raises:
        ArgumentError: it has several, see also `sources_of`.
    """
    found = sources_of(name, value, certificate)
    if len(found) > 1:
        raise ArgumentError(
            f"{value!r} has {len(found)} programs, and one is wanted",
            where=caller(),
            hint="trace it with gc.jit.trace for the arguments that are meant",
        )
    return found[0]


def sources_of(name: str, value: object, certificate: object) -> list[Source]:
    """A program, a trace or a compiled function as what can be saved, the latest used first.

    Raises:
        ArgumentError: it is none of these, or it depends on more than its inputs.
    """
    if certificate is not None:
        certificate = as_json(certificate)
    if isinstance(value, Program):
        return [Source(name, value, certificate)]
    if isinstance(value, Traced):
        certificate = as_json(value.certificate) if certificate is None else certificate
        one = _of_guarded(name, value._guarded, value._signature, certificate)
        return [replace(one, named=value._names.of_array)]
    if isinstance(value, Compiled):
        made = [
            _of_guarded(name, guarded, value._signature, certificate
                        or as_json({"assumes": guarded.assumes()}))
            for guarded in _fitting(value)
        ]  # fmt: skip
        named = Names(value._function).of_array
        return [replace(each, named=named) for each in made]
    loaded = getattr(value, "saved_sources", None)
    if loaded is not None:
        return loaded(name, certificate)
    raise ArgumentError(
        f"save: {type(value).__name__} {value!r:.60} is no program",
        where=caller(),
        hint="it takes what gc.compile, gc.jit.trace and gc.jit.compile return, once they ran",
    )


def _fitting(value: Compiled) -> list[Guarded]:
    """Those programs of a compiled function that run as Python's values are now.

    Raises:
        ArgumentError: there are none, or calls run Python.
    """
    if not value.variants:
        raise ArgumentError(
            f"save: {value!r} has no program yet", where=caller(), hint="call it once first"
        )
    found: list[Guarded] = []
    others: list[str] = []
    unproven: list[Any] = []
    for variant in sorted(value.variants, key=lambda v: v.last_used, reverse=True):
        guarded = variant.guarded
        if guarded is None or guarded.recipe.unproven or variant.reads_values:
            raise ArgumentError(
                "save: calls of the function run Python, which a file does not hold",
                [str(r) for r in variant.unproven[:4]],
                where=caller(),
                hint="trace it with gc.jit.trace, or write branches with gc.cond",
            )
        # What a run changed itself is another value now; the next one would be like the latest.
        reason = "" if variant.unproven and not found else guarded.outdated()
        if reason:
            others.append(reason)
        else:
            found.append(guarded)
        unproven += variant.unproven
    if not found:
        raise ArgumentError(
            f"save: no program of {value!r} fits as things are now",
            list(dict.fromkeys(others))[:4],
            where=caller(),
            hint="call it once more first",
        )
    _warn("programs that do not fit as things are now are left out", others)
    _warn("what Python does at a call is not part of the file", unproven)
    return found


def _warn(what: str, reasons: Sequence[Any]) -> None:
    if reasons:
        lines = list(dict.fromkeys(map(str, reasons)))[:4]
        warnings.warn(GraphcWarning(f"save: {what}: {'; '.join(lines)}"), stacklevel=6)


def _of_guarded(
    name: str, guarded: Guarded, signature: inspect.Signature | None, certificate: object
) -> Source:
    variant = guarded.variant
    results, tree = _results(guarded)
    for (how, _), _ in guarded.recipe.writes:
        if how != "argument":
            raise ArgumentError(
                "save: the function writes memory that is neither its own nor an argument's",
                where=caller(),
                hint="make it a parameter or a buffer of a module",
            )
    written = [(what, node) for (_, what), node in guarded.recipe.writes]
    if not variant.outputs and not variant.updates and not results:
        raise ArgumentError("save: the function computes nothing", where=caller())
    for group, key, index, node in variant.live:
        value = group[key] if index is None else group[key][index]
        node.state.array[...] = value._array if isinstance(value, Tensor) else value
    nodes = [what for how, what in results if how == "node"] + [node for _, node in written]
    nodes = list(dict.fromkeys(nodes))
    program, used = variant.program_of(nodes)
    at = {node: k for k, node in enumerate(nodes)}
    numbers = {own: k for k, own in enumerate(guarded.form.order)}
    accepts = _accepts(guarded, signature, [(numbers[t], at[node]) for t, node in written])

    def call(named: Callable[[Any], str]) -> CallRecord:
        found = [_result(program, how, what, named, at) for how, what in results]
        form = guarded.form
        return CallRecord(
            str(form.tree), form.places, tuple(numbers[k] for k in used), tuple(found), tree,
            accepts,
        )  # fmt: skip

    same = {node.state: (id(group), key, index) for group, key, index, node in variant.live}
    return Source(name, program, certificate, call, same)


def _accepts(
    guarded: Guarded, signature: inspect.Signature | None, writes: Sequence[tuple[int, int]]
) -> AcceptsRecord:
    """What is to be checked of a call's arguments.

    Raises:
        ArgumentError: one that is no tensor is not what an archive holds.
    """
    form = guarded.form
    if len(form.order) < len(guarded.types):
        raise ArgumentError(
            "save: an argument holds tensors in a container that an archive does not know",
            [f"the arguments: {form.described(guarded.types)}"],
            where=caller(),
            hint="give them in lists, tuples and dicts",
        )
    leaves = tuple(
        ("tensor", int(leaf)) if isinstance(leaf, Place) else ("value", leaf)
        for leaf in form.leaves
    )
    types = [guarded.types[k] for k in form.order]
    return AcceptsRecord(
        form.tree, leaves,
        tuple((t.dtype.code, tuple(map(_size, t.shape))) for t in types),
        tuple(guarded.requires[k] for k in form.order),
        None if signature is None else tuple(map(_parameter, signature.parameters.values())),
        tuple(writes),
    )  # fmt: skip


def _size(size: Size) -> Any:
    return size if isinstance(size, int) else (str(size), dims.bounds(size)[0] or 0)


def _parameter(parameter: inspect.Parameter) -> tuple[str, str, tuple[Any, ...]]:
    default = parameter.default
    is_held = default is None or isinstance(default, bool | int | float | str)
    return parameter.name, parameter.kind.name, (default,) if is_held else ()


def _results(guarded: Guarded) -> tuple[list[tuple[str, Any]], Tree]:
    """The leaves of a result, ("node", it), ("tensor", it) or ("value", it), and its form."""
    leaves, tree = flatten(guarded.recipe.plain())
    found: list[tuple[str, Any]] = []
    for leaf in leaves:
        if isinstance(leaf, Node):
            found.append(("node", leaf))
        else:
            found.append(("tensor" if isinstance(leaf, Tensor) else "value", leaf))
    return found, tree


def _result(
    program: Program, how: str, what: Any, named: Callable[[Any], str], at: dict[Node, int]
) -> tuple[str, Any]:
    if how == "node":
        return "out", at[what]
    if how == "value":
        return "value", what
    array = what._array
    for node in program.graph.inputs:
        if isinstance(node, Parameter) and node.state.array is array:
            return "state", named(node)
    raise ArgumentError(
        "save: the function returns a tensor that it neither computes nor uses",
        [f"the tensor: {what.type}"],
        where=caller(),
        hint="leave it out of the result, or return a copy: x.clone()",
    )


def as_json(value: object) -> Any:
    """What JSON holds of a value: numbers that it lacks become text.

    Raises:
        ArgumentError: it is something else.
    """
    try:
        return json.loads(json.dumps(_finite(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ArgumentError(
            f"save: the certificate is not what JSON holds: {value!r:.80}", where=caller()
        ) from None


def _finite(value: object) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

"""What is to be saved: programs, and traced functions as programs with a record of their call."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from graphc.core.ir import Node, caller
from graphc.core.trees import Tree, flatten
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError
from graphc.jit.archive.manifest import CallRecord
from graphc.jit.compiled import Compiled
from graphc.jit.guarded import Guarded
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
    """

    name: str
    program: Program
    certificate: Any
    call: Callable[[Callable[[Any], str]], CallRecord] | None = None

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """The program's compiled kernels with their keys, as the cache has them."""
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


def source_of(name: str, value: Any, certificate: Any) -> Source:
    """A program, a trace or a compiled function as what can be saved.

    Raises:
        ArgumentError: it is none of these, or it depends on more than its inputs.
    """
    if certificate is not None:
        certificate = as_json(certificate)
    if isinstance(value, Program):
        return Source(name, value, certificate)
    if isinstance(value, Traced):
        certificate = as_json(value.certificate) if certificate is None else certificate
        return _of_guarded(name, value._guarded, certificate)
    if isinstance(value, Compiled):
        return _of_compiled(name, value, certificate)
    loaded = getattr(value, "saved_source", None)
    if loaded is not None:
        return loaded(name, certificate)
    raise ArgumentError(
        f"save: {type(value).__name__} {value!r:.60} is no program",
        where=caller(),
        hint="it takes what gc.compile, gc.jit.trace and gc.jit.compile return, once they ran",
    )


def _of_compiled(name: str, value: Compiled, certificate: Any) -> Source:
    if not value.variants:
        raise ArgumentError(
            f"save: {value!r} has no program yet", where=caller(), hint="call it once first"
        )
    guarded = value.variants[-1].guarded
    if guarded is None or guarded.recipe.unproven or value.variants[-1].reads_values:
        reasons = [str(r) for r in value.variants[-1].unproven]
        raise ArgumentError(
            "save: calls of the function run Python, which a file does not hold",
            reasons[:4],
            where=caller(),
            hint="trace it with gc.jit.trace, or write branches with gc.cond",
        )
    if certificate is None:
        certificate = {"assumes": value.assumes()}
    return _of_guarded(name, guarded, as_json(certificate))


def _of_guarded(name: str, guarded: Guarded, certificate: Any) -> Source:
    variant = guarded.variant
    results, tree = _results(guarded)
    if not variant.outputs and not variant.updates and not results:
        raise ArgumentError("save: the function computes nothing", where=caller())
    for group, key, index, node in variant.live:
        value = group[key] if index is None else group[key][index]
        node.state.array[...] = value._array if isinstance(value, Tensor) else value
    nodes = list(dict.fromkeys(what for how, what in results if how == "node"))
    program, used = variant.program_of(nodes)
    at = {node: k for k, node in enumerate(nodes)}

    def call(named: Callable[[Any], str]) -> CallRecord:
        found = [_result(program, how, what, named, at) for how, what in results]
        places = guarded.positions
        return CallRecord(
            guarded.form, tuple(guarded.places), tuple(places[k] for k in used), tuple(found), tree
        )

    return Source(name, program, certificate, call)


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


def as_json(value: Any) -> Any:
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


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value

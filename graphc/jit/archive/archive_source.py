"""What is to be saved: programs, and traced functions as programs with a record of their call."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError
from graphc.jit.archive.manifest import CallRecord
from graphc.jit.compiled import Compiled
from graphc.jit.traced import Traced
from graphc.jit.variant import Variant
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
        return _of_guarded(name, value._guarded, value._arguments, certificate)
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
    variant = value.variants[-1]
    key = next(k for k, variants in value._by_key.items() if variant in variants)
    if isinstance(key, int):
        form = "([" + ", ".join("*" * key) + "], {})"
        places = list(range(key))
    else:
        form, places = key[0], list(key[1])
    if certificate is None:
        certificate = {"assumes": value.assumes(), "effects": list(getattr(variant, "effects", ()))}
    return _of_variant(name, variant, as_json(certificate), form, places)


def _of_variant(name: str, variant: Any, certificate: Any, form: str, places: Any) -> Source:
    if not isinstance(variant, Variant):
        raise ArgumentError(
            "save: the function has a program for each outcome of its branches, and their choice "
            "is made in Python",
            where=caller(),
            hint='compile it with on_branch="fork", or write the branch with gc.cond',
        )
    if variant.program is None:
        raise ArgumentError("save: the function computes nothing", where=caller())
    for group, key, index, node in variant.live:
        value = group[key] if index is None else group[key][index]
        new = value._array if isinstance(value, Tensor) else value
        node.state.array[...] = new  # type: ignore[attr-defined]

    def call(named: Callable[[Any], str]) -> CallRecord:
        results = [_result(variant, how, what, named) for how, what in variant.places]
        return CallRecord(
            form, tuple(places), tuple(variant.positions), tuple(results), variant.tree
        )

    return Source(name, variant.program, certificate, call)


def _result(variant: Variant, how: str, what: Any, named: Callable[[Any], str]) -> tuple[str, Any]:
    if how == "out":
        return "out", variant.order[what]
    if how == "value":
        return "value", what
    array = what._array
    for node in variant.program.graph.inputs:
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

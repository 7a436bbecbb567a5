"""What a call that fails raises: the error of a check, of a Python function, of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphc.core.interpret import located
from graphc.core.ir import Library, Scalar, caller
from graphc.errors import CheckError, OutOfMemoryError
from graphc.ops.arrays.indexing import out_of_range
from graphc.program import comparing, report
from graphc.program.build import Build
from graphc.runtime.machine.call import Call


def failed(
    build: Build, call: Call, arrays: Sequence[np.ndarray], site: int, value: int, limit: int
) -> BaseException:
    """The error that the status block describes; a user's message gets its values anew."""
    node = build.executable.sites[site - 1]
    fact = node.op.lowering
    if isinstance(fact, Library) and fact.failure is not None:
        return fact.failure(node, value)
    if not isinstance(fact, Scalar) or fact.failure is None:
        return located(out_of_range(value, limit), node)
    error = located(fact.failure(node, value), node)
    if not isinstance(error, CheckError):
        return error
    again = comparing.expect(build.graph, arrays, call.sizes, math.inf)
    same = again is not None and type(again.error) is CheckError
    return again.error if same else error  # type: ignore[union-attr, return-value]


def out_of_memory(build: Build, call: Call, error: object = "") -> OutOfMemoryError:
    """The error where the memory of a call is not to be had, with what is largest."""
    there = [str(error)] if str(error) else []
    outputs = sum(int(np.prod(s, dtype=object)) * d.itemsize for s, d in call.outputs)
    sizes = report.sizes_text(call.sizes)
    arena = f"{report.nbytes_text(call.arena_nbytes)} for intermediate results and "
    return OutOfMemoryError(
        f"{build.graph.name}: "
        f"{arena if build.executable.is_native else 'intermediate results and '}"
        f"{report.nbytes_text(outputs)} for outputs do not fit",
        [*([f"with {sizes}"] if sizes else []), *there, *report.largest(build, call.sizes, 5)],
        where=caller(),
        hint="use smaller batches",
    )


__all__ = ["failed", "out_of_memory"]

"""Print the kernels' sources of every op case as JSON, by the graphc that is imported.

Run by `python -m tests.replay` for each of two revisions; so it uses no more than names that stay.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from samples import TABLE, cases

import graphc as gc
from graphc.passes.pipeline import optimize
from graphc.runtime.lower import lower


def kernels(inputs: list[Any], outputs: list[Any]) -> list[str]:
    """The sources of a graph's kernels, in order, each once; or why there are none."""
    try:
        final, _ = optimize(gc.Graph.of("case", inputs, outputs))
        return list(dict.fromkeys(step.kernel.source for step in lower(final)))
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def all_cases() -> Iterator[tuple[str, list[Any], list[Any]]]:
    """Name, inputs and outputs of each case, with static sizes and, where it can be, symbolic.

    A name says what the case is, so that one that comes between two others renames none of them.
    """
    seen: Counter[str] = Counter()
    for op in TABLE:
        for case in cases(op):
            operands = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in case.arrays)
            settings = "".join(f", {key}={value}" for key, value in case.attrs.items())
            what = f"{op.name}({operands}{settings})"
            seen[what] += 1
            what += f" #{seen[what]}" * (seen[what] > 1)
            for symbolic in (False, True):
                try:
                    nodes, _ = case.nodes(symbolic)
                    node = case.op(*nodes, **case.attrs)
                except Exception:
                    continue  # an op that wants static sizes
                yield f"{what}{' symbolic' * symbolic}", nodes, [node]


if __name__ == "__main__":
    print(json.dumps({name: kernels(*ends) for name, *ends in all_cases()}))

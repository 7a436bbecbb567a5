"""Every elementwise op on every dtype that it takes, of views and under sums, with gradients.

x0: [4, 6] or [n, 6]    x1, x2: [6]    v0 = op(x0, x1, x2)    v1 = sum(v0, axis=0)
"""

from __future__ import annotations

from collections.abc import Iterator

from samples import PLAIN, accepted, arity, array, domains, seed_of

from graphc.core.dtypes import as_dtype

from .recipe import Input, Recipe, build

SIZES = ({"n": 4}, {"n": 7})
WAYS = {
    "plain": "{0}", "turned": "gc.transpose({0})", "cut": "{0}[::-1, 1:]",
    "spread": "gc.broadcast_to({0}[:, :1], {0}.shape)", "padded": "gc.concat([{0}, {0}[:1]])",
}  # fmt: skip
# What a float64 gives says nothing of the floats beside a float32; zeta has no gradient.
LEFT_OUT = ("nextafter", "zeta")
Case = tuple[str, str, bool, str]


def elements() -> Iterator[Case]:
    """The op, the dtype, whether rows are symbolic, what is in front of the op."""
    for op in PLAIN:
        for dtype in accepted(op, arity(op)) if op.name not in LEFT_OUT else ():
            for symbolic in (False, True):
                for way in WAYS:
                    yield op.name, dtype.name, symbolic, way


def element(case: Case, level: str = "O2") -> Recipe:
    """The recipe of a case."""
    name, dtype, symbolic, way = case
    op = next(op for op in PLAIN if op.name == name)
    sizes: tuple[dict[str, int], ...] = SIZES if symbolic else ({},)
    inputs = {}
    for k, domain in enumerate(domains(op, arity(op))):
        shapes = [(s.get("n", 4), 6) if k == 0 else (6,) for s in sizes]
        values = [array(s, dtype, domain, seed_of(name) + k) for s in shapes]
        shape = ("n" if symbolic else 4, 6) if k == 0 else (6,)
        inputs[f"x{k}"] = Input(dtype, shape, values[0], others=tuple(values[1:]))
    beside = {"turned": "[:, None]", "cut": "[1:]"}.get(way, "")
    operands = [WAYS[way].format("x0"), *(f"x{k}{beside}" for k in range(1, len(inputs)))]
    lines = [("v0", f"gc.{name}({', '.join(operands)})"), ("v1", "gc.sum(v0, axis=0)")]
    found = Recipe(inputs, tuple(lines), ("v0", "v1"), sizes=sizes, level=level, threads=2)
    if not build(found).values["v0"].dtype.is_float or not as_dtype(dtype).is_float:
        return found
    names = ", ".join(f"g{k}" for k in range(len(inputs)))
    text = f"gc.grad(v2, [{', '.join(inputs)}])" + "[0]" * (len(inputs) == 1)
    lines += [("v2", "gc.sum(gc.sin(v0))"), (names, text)]
    return found.with_(lines=tuple(lines), outputs=("v0", "v1", *names.split(", ")))

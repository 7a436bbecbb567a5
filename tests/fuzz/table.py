"""What lines a recipe may have, and how often: each maker adds one (or two) to what grows."""

from __future__ import annotations

import functools
import string
from typing import Any

import numpy as np
from samples import PLAIN, RANGES, accepted, arity, domains

from graphc.core import dtypes
from graphc.core.dims import is_same

from .composed import composed, listed
from .generate import Growing
from .loops import control, drawn
from .windows import conv, pool, transposed

# Elementwise ops by what they take; discontinuous ones less often.
RARE = frozenset(
    """nextafter floor ceil rint trunc sign signbit isfinite isinf isnan equal not_equal remainder
    fmod floor_divide gcd lcm left_shift right_shift bitwise_count tan power""".split()  # noqa: SIM905
)
# `clip` and `nextafter` of values: the one means nothing where low > high, and what the other gives
# in float64 says nothing of other floats. `zeta` has no gradient by its exponent.
ELEMENTWISE = [
    (op, 2 if op.name in RARE else 3)
    for op in PLAIN
    if op.name not in ("nextafter", "clip", "zeta")
]
LITERALS = ("2", "0.5", "-1.5", "0.25", "3", "-1", "1.25")
WHOLE = ("2", "3", "1")
INSIDE = {  # how any float is brought into a domain
    "positive": "gc.absolute({0}) + 0.5", "nonzero": "gc.absolute({0}) + 0.5",
    "unit": "gc.tanh({0}) * 0.875", "above_one": "gc.absolute({0}) + 1.5",
    "exponent": "gc.tanh({0}) * 2.0", "small": "gc.tanh({0}) * 2.0",
    "small_uint": "gc.tanh({0}) * 2.0", "small_int": "gc.tanh({0}) * 2.0",
}  # fmt: skip
WHOLE_INSIDE = {
    "nonzero": "gc.maximum({0}, 1)", "positive": "gc.maximum({0}, 1)",
    "small_uint": "gc.clip({0}, 0, 5)", "shift_count": "gc.clip({0}, 0, 6)",
    "small_int": "gc.clip({0}, 0, 5)",
}  # fmt: skip


def _domain(g: Growing, name: str, domain: str) -> str:
    """The value, or it brought into a domain."""
    low, high = RANGES[domain]
    kind = g.kind(name)
    if kind == "b" or domain == "real" or g.within(name, low, high):
        return name
    rule = (INSIDE if kind == "f" else WHOLE_INSIDE).get(domain)
    if rule is None:
        raise LookupError
    made = g.add(rule.format(name))
    if made is None:
        raise LookupError
    return made


@functools.cache
def _taking(dtype: dtypes.DType) -> list[tuple[Any, int]]:
    return [(op, weight) for op, weight in ELEMENTWISE if dtype in accepted(op, arity(op))]


def elementwise(g: Growing) -> None:
    """A plain op on values that broadcast."""
    x = g.pick()
    ops, weights = zip(*_taking(g.nodes[x].dtype))
    op = g.rng.choices(ops, weights)[0]
    count = arity(op)
    operands = [x, *(g.pick(like=x) for _ in range(count - 1))]
    if count == 2 and g.rng.random() < 0.5:
        g.rng.shuffle(operands)
    texts = [_domain(g, name, domain) for name, domain in zip(operands, domains(op, count))]
    g.add(f"gc.{op.name}({', '.join(texts)})")


def any_op(g: Growing) -> None:
    """A plain op, each as often as others, on a value cast to a dtype that it takes."""
    op, _ = g.rng.choice(ELEMENTWISE)
    x = g.pick()
    takes = accepted(op, arity(op))
    if g.nodes[x].dtype not in takes:
        if g.wild:
            raise LookupError  # as integers nan and infinities are nothing definite
        x = g.add(_cast(g, x, _named(g.rng.choice(takes)))) or x
    if g.nodes[x].dtype not in takes:
        raise LookupError
    operands = [x, *(g.pick(like=x) for _ in range(arity(op) - 1))]
    pairs = zip(operands, domains(op, len(operands)))
    g.add(f"gc.{op.name}({', '.join(_domain(g, name, domain) for name, domain in pairs)})")


def _named(dtype: dtypes.DType) -> str:
    return "bool_" if dtype.name == "bool" else dtype.name


def arithmetic(g: Growing) -> None:
    """Operators between values, and with literals: what programs are mostly made of."""
    x = g.pick("iuf")
    if g.rng.random() < 0.4:
        other = g.rng.choice(LITERALS if g.kind(x) == "f" else WHOLE)
    else:
        other = g.pick(like=x)
    left, right = (x, other) if g.rng.random() < 0.7 else (other, x)
    g.add(f"{left} {g.rng.choice(('+', '-', '*', '*'))} {right}")


def mixed(g: Growing) -> None:
    """Two values of any dtypes: what they are promoted to, and Python's numbers beside integers."""
    x, y = g.pick("biuf"), g.pick("iuf")
    g.add(g.rng.choice((
        f"{x} * {y}", f"{x} + {y}", f"{y} - {x}", f"{y} * 0.5", f"{y} + 2", f"2.0 - {y}",
        f"gc.maximum({x}, {y})", f"gc.where({x} > {y}, {x}, {y})", f"{y} / 4", f"{x} == {y}",
        f"{x} <= {y}", f"gc.cast({x}, gc.int64, 'wrap') % 3", f"{y} / (1 + gc.absolute({x}))",
    )))  # fmt: skip


def function(g: Growing) -> None:
    """Activations and other functions of one float."""
    x = g.pick("f")
    rule = g.rng.choice((
        "gc.relu({0})", "gc.silu({0})", "gc.gelu({0})", "gc.sigmoid({0})", "gc.tanh({0})",
        "gc.square({0})", "gc.exp(gc.tanh({0}))", "gc.log(gc.absolute({0}) + 0.5)",
        "gc.sqrt(gc.square({0}) + 0.25)", "{0} / (1.0 + gc.absolute({0}))", "gc.sin({0})",
        "gc.clip({0}, -0.75, 0.5)", "gc.where({0} > 0, {0}, 0.25 * {0})", "gc.softplus({0})",
        "gc.stop_gradient({0})",
    ))  # fmt: skip
    g.add(rule.format(x))


def choice(g: Growing) -> None:
    """where, with a comparison."""
    x = g.pick("iuf")
    y, z = g.pick(like=x), g.pick(like=x)
    sign = g.rng.choice(("<", ">", "<=", ">="))
    g.add(f"gc.where({x} {sign} {y}, {z}, {g.rng.choice((x, y, x))})")


def cast(g: Growing) -> None:
    """A cast to any dtype."""
    x = g.pick()
    target = g.rng.choice(("float32", "float64", "float16", "int32", "int64", "int8", "uint8",
                           "uint64", "bool_", "float32"))  # fmt: skip
    if g.kind(x) == "f" and target.startswith("uint"):
        x = _domain(g, x, "positive")
    g.add(_cast(g, x, target))


def _cast(g: Growing, x: str, target: str) -> str:
    # Whether a float is 0 hangs on roundings where terms cancel: of what is rounded, it does not.
    is_truth = g.kind(x) == "f" and target == "bool_"
    return f'gc.cast({f"gc.rint({x})" if is_truth else x}, gc.{target}, overflow="wrap")'


# Views


def _cut(g: Growing, x: str) -> str:
    """An index for each axis: all, cut, backwards, stepped, one element, a new axis."""
    parts = []
    for axis in range(g.nodes[x].ndim):
        span = g.span(x, axis)
        start = g.rng.randrange(0, max(1, min(span, 4)))
        stop = g.rng.choice(("", "-1" if span > 1 else "", str(max(start + 1, 3))))
        parts.append(g.rng.choice((
            ":", ":", "::-1", f"{start}:{stop}", f"{start}:", "::2", f"{start}", "-1", "None, :",
        )))  # fmt: skip
    if not parts:
        return "None"
    return ", ".join(parts)


def view(g: Growing, x: str = "") -> str | None:
    """A movement op on a value (any, or the one given)."""
    x = x or g.pick(least=1)
    rng, rank = g.rng, g.nodes[x].ndim
    if rank == 0:
        return g.add(rng.choice((f"gc.reshape({x}, (1,))", f"gc.broadcast_to({x}, (3,))")))
    a, b = g.axis(x), g.axis(x)
    order = rng.sample(range(rank), rank)
    other = g.pick()
    span = g.span(x, a)
    return g.add(rng.choice((
        f"gc.transpose({x})", f"gc.transpose({x}, {tuple(order)})", f"{x}[{_cut(g, x)}]",
        f"{x}[{_cut(g, x)}]", f"{x}[{_cut(g, x)}]", f"gc.flip({x}, axis={a})",
        f"gc.swapaxes({x}, {a}, {b})", f"gc.roll({x}, {rng.choice((1, -1, 2))}, axis={a})",
        f"gc.reshape({x}, (-1,))", f"gc.expand_dims({x}, {rng.randrange(-rank - 1, rank + 1)})",
        f"gc.broadcast_to({x}, {other}.shape)", f"gc.broadcast_to({x}, (2, *{x}.shape))",
        f"gc.pad({x}, [{', '.join(str((rng.randrange(3), rng.randrange(2))) for _ in order)}])",
        f"gc.concat([{x}, {g.pick(like=x)}], axis={a})", f"gc.concat([{x}, {x}], axis={a})",
        f"gc.stack([{x}, {g.pick(like=x)}], axis={rng.choice((0, a))})",
        f"gc.tile({x}, {tuple(rng.choice((1, 2)) for _ in order)})",
        f"gc.repeat({x}, {rng.choice((2, 3))}, axis={a})", f"gc.moveaxis({x}, {a}, {b})",
        f"gc.tril({x}, {rng.choice((-1, 0, 1))})", f"gc.triu({x}, {rng.choice((-1, 0, 1))})",
        f"gc.diagonal({x})", f"gc.squeeze({x}, axis={a})",
        f"gc.split({x}, [{max(1, span // 2)}], axis={a})[0]",
        f"gc.reshape({x}, ({x}.shape[0] * {x}.shape[{rank - 1}], -1))",
        f"gc.pad({x}, [{', '.join(str((rng.randrange(2), 1)) for _ in order)}], value=1)",
        f"gc.split({x}, [{max(1, span // 2)}], axis={a})[1]",
        f'gc.pad({x}, [{", ".join("(1, 1)" for _ in order)}], mode="reflect")',
    )))  # fmt: skip


def literal(g: Growing) -> str | None:
    """A tensor of literals."""
    shape = g.rng.choice([g.nodes[k].shape for k in g.nodes])
    if not all(isinstance(d, int) for d in shape) or not shape:
        shape = (g.rng.choice(g.extents) or 1,)
    dtype = "bool_" if g.dtype == "bool" else g.dtype
    value = g.rng.choice(("0", "1", "2") if g.dtype[0] != "f" else ("0.5", "-1.5", "1.0", "0.0"))
    if g.rng.random() < 0.5:
        return g.add(f'FN["full"]({tuple(shape)}, {value}, gc.{dtype})')
    axis = g.rng.randrange(len(shape))
    return g.add(f'gc.cast(gc.iota({tuple(shape)}, axis={axis}), gc.{dtype}, overflow="wrap")')


# Reductions

REDUCTIONS = ("sum", "sum", "sum", "mean", "mean", "max", "min", "prod", "var", "std")
FLOATING = ("logsumexp", "softmax", "log_softmax")


def _some_axes(g: Growing, x: str) -> str:
    rank = g.nodes[x].ndim
    if rank == 0 or g.rng.random() < 0.2:
        return "None"
    if rank > 1 and g.rng.random() < 0.25:
        return str(tuple(sorted(g.rng.sample(range(rank), g.rng.randrange(2, rank + 1)))))
    return str(g.axis(x))


def reduction(g: Growing) -> str | None:
    """A reduction over some axes."""
    x = g.pick()
    name = g.rng.choice(REDUCTIONS)
    kind = g.kind(x)
    keep = g.rng.choice((", keepdims=True", "", ""))
    if g.rng.random() < 0.15:
        name = g.rng.choice(("argmax", "argmin"))
        return g.add(f"gc.{name}({x}, axis={g.axis(x)}{keep})")
    if kind == "b":
        name = g.rng.choice(("any", "all", "sum"))
    if kind == "f" and not g.wild and g.rng.random() < 0.25:
        name = g.rng.choice(FLOATING)
        if name != "logsumexp":
            return g.add(f"gc.{name}({x}, axis={g.axis(x)})")
    if name == "prod" and any(np.prod(np.maximum(np.abs(a[x]), 1)) > 1e4 for a in g.arrays):
        raise LookupError  # what is small in the end may overflow on the way
    if g.wild and kind == "f":
        name = g.rng.choice(("sum", "max", "min", "prod"))
    elif kind in "iu" and name in ("var", "std", "mean"):
        name = "sum"
    keep += ", correction=0" * (name in ("var", "std"))
    return g.add(f"gc.{name}({x}, axis={_some_axes(g, x)}{keep})")


def joined(g: Growing) -> None:
    """A reduction joined to the elements again."""
    x = g.pick("f", 1)
    y = g.pick("f", like=x)
    name = g.rng.choice(("mean", "max", "sum", "min"))
    rule = g.rng.choice(
        ("{0} - {1}", "{0} * {1}", "{2} + {1}", "{2} * {1}", "gc.square({0} - {1})")
    )
    g.add(rule.format(x, f"gc.{name}({x}, axis={_some_axes(g, x)}, keepdims=True)", y))


def scalars(g: Growing) -> None:
    """A sum of scalars: losses."""
    terms = []
    for _ in range(g.rng.choice((2, 2, 3))):
        x = g.pick("f")
        rule = g.rng.choice(("gc.sum({0})", "gc.mean({0} * {0})", "gc.max({0})", "gc.sum({0}[0])",
                             "gc.sum(gc.square({0} - gc.mean({0}, axis=-1, keepdims=True)))",
                             "gc.sum(gc.logsumexp({0}, axis=0))"))  # fmt: skip
        terms.append(rule.format(x))
    g.add(f" {g.rng.choice('++-*')} ".join(terms))


# Contractions


def _operand(g: Growing, like: str = "") -> str:
    """A value of a float (or integer) dtype, often behind a view or a literal."""
    x = g.pick("f" if g.dtype[0] == "f" else "iu", like=like)
    draw = g.rng.random()
    if draw < 0.45:
        x = view(g, x) or x
    elif draw < 0.55:
        x = literal(g) or x
    return x


def _partner(g: Growing, x: str, axis: int, rank: int) -> str:
    """An operand whose first axis is x's `axis`: found, or a new input."""
    size = g.nodes[x].shape[axis]
    fitting = [k for k in g.nodes if g.nodes[k].dtype is g.nodes[x].dtype
               and g.nodes[k].ndim == rank and is_same(g.nodes[k].shape[0], size)]  # fmt: skip
    if fitting and g.rng.random() < 0.6:
        return g.rng.choice(fitting)
    if not isinstance(size, int):
        if str(size) != "n":
            raise LookupError
        size = "n"
    rest = [g.rng.choice(g.extents) or 1 for _ in range(rank - 1)]
    return g.add_input((size, *rest), g.nodes[x].dtype.name)


def matmul(g: Growing) -> None:
    """x @ y, either side behind views."""
    x = _operand(g)
    if not g.nodes[x].ndim:
        raise LookupError
    y = _partner(g, x, -1, g.rng.choice((1, 2, 2, 2)))
    if g.nodes[y].ndim == 2 and g.rng.random() < 0.5:
        rule = g.rng.choice((
            "{0}[:, ::-1]", "{0}[:, 1:]", "gc.flip({0}, axis=0)", "{0} * 0.5",
            "gc.broadcast_to({0}[:, :1], {0}.shape)",
        ))  # fmt: skip
        y = g.add(rule.format(y)) or y
    flipped = g.nodes[x].ndim == 2 and g.nodes[y].ndim == 2 and g.rng.random() < 0.3
    g.add(f"gc.transpose({y}) @ gc.transpose({x})" if flipped else f"{x} @ {y}")


def einsum(g: Growing) -> None:
    """A random einsum over a value and a partner."""
    x = _operand(g)
    rank = g.nodes[x].ndim
    if not 1 <= rank <= 3:
        raise LookupError
    letters = string.ascii_lowercase[:rank]
    axis = g.rng.randrange(rank)
    y = _partner(g, x, axis, g.rng.choice((1, 2)))
    second = letters[axis] + "z" * (g.nodes[y].ndim - 1)
    free = sorted({*letters, *second})
    out = "".join(g.rng.sample(free, g.rng.randrange(0, len(free) + 1)))
    if g.nodes[y].ndim == 2 and g.rng.random() < 0.4:
        y, second = g.add(f"gc.transpose({y})") or y, second[::-1]
        if g.nodes[y].shape[second.index(letters[axis])] != g.nodes[x].shape[axis]:
            raise LookupError
    g.add(f'gc.einsum("{letters},{second}->{out}", {x}, {y})')


# Order and indices


def ordered(g: Growing) -> None:
    """Cumulative ops, sorting, recurrences."""
    x = g.pick("iuf", 1)
    a = g.axis(x)
    more = g.rng.choice(("", "", ", reverse=True", ", exclusive=True"))
    name = g.rng.choice(("cumsum", "cumprod", "sort", "argsort", "recurrence"))
    if name == "recurrence":
        x = g.pick("f", 1)
        backwards = g.rng.choice(("", ", reverse=True"))
        g.add(f"gc.recurrence(gc.tanh({x}), {x}, axis={g.axis(x)}{backwards})")
    elif name in ("sort", "argsort"):
        g.add(f"gc.{name}({x}, axis={a}, descending={g.rng.random() < 0.5})")
    else:
        g.add(f"gc.{name}({x}, axis={a}{more})")


def indexed(g: Growing) -> None:
    """take, take_along_axis, index_add, index_update, scatter_add, one_hot, cross entropy."""
    x = g.pick("iuf", 1)
    a = g.axis(x) % g.nodes[x].ndim
    span = g.span(x, a)
    if not span:
        raise LookupError
    places = [g.rng.randrange(span) for _ in range(g.rng.choice((1, 2, 3)))]
    index = f"gc.constant(np.array({places}))" if g.rng.random() < 0.6 else (
        g.add_input((g.rng.choice((1, 2, 5, 9)),), "int64", low=-span, high=span))  # fmt: skip
    along = f"gc.argsort({x}, axis={a})"
    part = f"gc.take({x}, {index}, axis={a})"
    unique = f"gc.constant(np.array({sorted(set(places))}))"
    given = f"gc.constant(np.array({places}))"
    reduce = ("amax", "amin", "prod")[places[0] % 3]
    rules = [
        part,
        f"gc.take_along_axis({x}, {along}, axis={a})",
        f"gc.index_add({x}, {index}, {part} * 2, axis={a})",
        f"gc.index_update({x}, {unique}, gc.take({x}, {unique}, axis={a}) * 2, axis={a})",
        f"gc.scatter_add({x}, {along}, {x}, axis={a})",
        f"gc.index_reduce({x}, {a}, {given}, gc.take({x}, {given}, axis={a}) + 1, {reduce!r})",
        f"{x}[{index}]" if a == 0 else part,
        f"{x}[{index}, {index}]"
        if a == 0 and g.nodes[x].ndim > 1 and g.span(x, 1) >= span
        else part,
        f"{x}[..., {index}]" if a == g.nodes[x].ndim - 1 else part,
        f"{x}[{index}[:, None] + 0 * {index}]" if a == 0 else part,
    ]
    if g.kind(x) == "f" and g.nodes[x].ndim == 2:
        labels = f"gc.argmax({g.pick('f', 2, 2)}, axis=1)"
        rules += [f"gc.cross_entropy({x}, {labels} % {g.span(x, 1)})"]
    g.add(g.rng.choice(rules))


MAKERS: list[tuple[Any, int]] = [
    (mixed, 3),
    (elementwise, 16), (arithmetic, 14), (function, 8), (choice, 3), (cast, 3), (view, 18),
    (literal, 2), (reduction, 14), (joined, 7), (scalars, 5), (matmul, 8), (einsum, 3), (conv, 2),
    (pool, 1), (transposed, 1), (ordered, 3), (indexed, 5), (composed, 6), (listed, 2),
    (control, 3), (drawn, 1),
]  # fmt: skip
# Much fusion, and little else; contractions of views.
REDUCING: list[tuple[Any, int]] = [
    (arithmetic, 12), (function, 6), (view, 10), (reduction, 14), (joined, 12), (scalars, 8),
]  # fmt: skip
CONTRACTING: list[tuple[Any, int]] = [
    (arithmetic, 4),
    (function, 3),
    (view, 12),
    (literal, 3),
    (matmul, 14),
    (einsum, 8),
    (conv, 6),
    (pool, 2),
    (transposed, 3),
    (reduction, 3),
    (joined, 2),
]
# Every elementwise op of the table alike, whatever programs mostly are.
ROUND: list[tuple[Any, int]] = [
    (mixed, 6),
    (any_op, 12),
    (cast, 3),
    (composed, 8),
    (indexed, 3),
    (ordered, 2),
    (control, 2),
    (view, 2),
    (drawn, 1),
    (listed, 1),
]
# What chains of hundreds of lines and programs of a hundred results are made of.
PLENTY: list[tuple[Any, int]] = [
    (arithmetic, 20), (function, 10), (choice, 3), (view, 6), (reduction, 2), (joined, 3),
]  # fmt: skip
# What is as definite for nan and infinities.
WILD: list[tuple[Any, int]] = [
    (arithmetic, 10), (choice, 4), (view, 12), (reduction, 8), (matmul, 4), (literal, 1),
    (conv, 3), (pool, 2), (transposed, 2), (ordered, 4), (indexed, 4), (listed, 1),
    (any_op, 5), (function, 3), (joined, 2), (scalars, 1), (control, 1), (composed, 2),
]  # fmt: skip

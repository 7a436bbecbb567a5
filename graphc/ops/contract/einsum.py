"""Products summed over named axes: einsum and tensordot, by transpose, reshape and matmul."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.typing import Axes, Operand
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.arrays.shaping import broadcast_to, diagonal, reshape, transpose
from graphc.ops.contract.matmul import MATMUL, same_dtype
from graphc.ops.declare import check_axis, describe, public

# What an unknown size counts for when the order of contractions is chosen.
NOMINAL = 64

Labelled = tuple[Any, str]


@public
def einsum(subscripts: str, *operands: Operand) -> Any:
    """The sum of products of elements over named axes, as NumPy's `einsum`.

    Args:
        subscripts: such as "bij,bjk->bik"; a letter twice in one operand takes its diagonal,
            `...` stands for axes that broadcast; without "->" the letters that come once, sorted.
        operands: tensors, of promoted dtype; three or more are contracted pair by pair, the
            pair with the smallest result first.

    Raises:
        ShapeError: the sizes of a letter differ, or cannot be shown to be equal.

    Example:
        >>> einsum("ij,kj->ik", x, w)
    """
    if not isinstance(subscripts, str) or not operands:
        raise ArgumentError("einsum: needs subscripts and at least one operand", where=caller())
    tensors = same_dtype("einsum", *operands)
    terms, result = _parse(subscripts, tensors)
    sizes = _sizes(terms, tensors)
    parts = [_plain(t, term, sizes) for t, term in zip(tensors, terms)]
    while len(parts) > 1:
        i, j = _next_pair(parts, result, sizes)
        rest = [p for k, p in enumerate(parts) if k not in (i, j)]
        keep = set(result).union(*(term for _, term in rest))
        parts = [*rest, _contract(parts[i], parts[j], keep)]
    x, term = _sum_out(parts[0], set(result))
    x = transpose(x, [term.index(c) for c in result if c in term])
    # Letters whose every size is 1 were squeezed out on the way.
    return reshape(x, [sizes[c] for c in result])


def _parse(subscripts: str, tensors: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, `...` replaced by unused letters."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    letters = text.replace("...", "").replace("->", "").replace(",", "")
    twice = any(t.count("...") > 1 for t in (*terms, right))
    if twice or len(terms) != len(tensors) or any(not c.isalpha() for c in letters):
        raise ArgumentError(f"einsum: {subscripts!r} for {len(tensors)} operands", where=caller())
    spare = "".join(c for c in map(chr, range(0x391, 0x3C9)) if c not in letters and c.isalpha())
    dots = ""
    for k, (term, tensor) in enumerate(zip(terms, tensors)):
        count = len(tensor.type.shape) - len(term.replace("...", ""))
        if count < 0 or (count > 0 and "..." not in term):
            raise ShapeError(
                f"einsum: {term!r} for an operand with {len(tensor.type.shape)} axes",
                [describe(tensor)],
                where=caller(),
            )
        terms[k] = term.replace("...", spare[:count][::-1])
        dots = max(dots, spare[:count][::-1], key=len) if "..." in term else dots
    if arrow:
        result = right.replace("...", dots)
    else:
        counts = {c: "".join(terms).count(c) for c in letters}
        result = dots + "".join(sorted(c for c, n in counts.items() if n == 1))
    if len(set(result)) != len(result) or set(result) - set("".join(terms)):
        raise ArgumentError(f"einsum: the result of {subscripts!r}", where=caller())
    return terms, result


def _sizes(terms: Sequence[str], tensors: Sequence[Any]) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    for term, tensor in zip(terms, tensors):
        for letter, size in zip(term, tensor.type.shape):
            known = sizes.setdefault(letter, size)
            if known == 1:
                sizes[letter] = size
            elif size not in (1, known):
                raise ShapeError(
                    f"einsum: sizes {known} and {size} of {letter!r} differ",
                    [describe(t) for t in tensors],
                    where=caller(),
                )
    return sizes


def _plain(x: Operators, term: str, sizes: dict[str, Size]) -> Labelled:
    """An operand with each letter once and no axis of size 1."""
    keep = [a for a, size in enumerate(x.type.shape) if size != 1]
    x, term = reshape(x, [x.type.shape[a] for a in keep]), "".join(term[a] for a in keep)
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first, second = [a for a, c in enumerate(term) if c == letter][:2]
            x = diagonal(x, 0, first, second)
            term = "".join(c for a, c in enumerate(term) if a not in (first, second)) + letter
    return x, term


def _sum_out(part: Labelled, keep: set[str]) -> Labelled:
    """Sum over letters that nothing else needs, in the operand's own dtype."""
    x, term = part
    axes = tuple(a for a, c in enumerate(term) if c not in keep)
    if not axes:
        return part
    dtype = x.type.dtype
    total = FUNCTIONS["any" if dtype.kind == "bool" else "sum"](x, axes)
    if total.type.dtype is not dtype:
        total = FUNCTIONS["cast"](total, dtype, overflow="wrap")
    return total, "".join(c for c in term if c in keep)


def _nominal(letters: Sequence[str] | set[str], sizes: dict[str, Size]) -> int:
    total = 1
    for letter in letters:
        size = sizes[letter]
        total *= size if isinstance(size, int) else NOMINAL
    return total


def _next_pair(parts: list[Labelled], result: str, sizes: dict[str, Size]) -> tuple[int, int]:
    """The pair whose product saves most memory; the first among equals."""

    def gain(pair: tuple[int, int]) -> int:
        others = set(result).union(*(t for k, (_, t) in enumerate(parts) if k not in pair))
        a, b = (set(parts[k][1]) for k in pair)
        before = _nominal(a, sizes) + _nominal(b, sizes)
        return _nominal((a | b) & others, sizes) - before

    return min(itertools.combinations(range(len(parts)), 2), key=gain)


def _contract(left: Labelled, right: Labelled, keep: set[str]) -> Labelled:
    """The product of two operands, summed over the letters not kept."""
    x, xt = _sum_out(left, keep | set(right[1]))
    y, yt = _sum_out(right, keep | set(left[1]))
    batch = [c for c in xt if c in yt and c in keep]
    inner = [c for c in xt if c in yt and c not in keep]
    xs, ys = [c for c in xt if c not in yt], [c for c in yt if c not in xt]
    term = "".join((*batch, *xs, *ys))
    size = {c: d for t, tt in ((x, xt), (y, yt)) for c, d in zip(tt, t.type.shape)}
    if not inner:
        return _outer((x, xt), (y, yt), term, size), term
    x = transpose(x, [xt.index(c) for c in (*batch, *xs, *inner)])
    y = transpose(y, [yt.index(c) for c in (*batch, *inner, *ys)])
    b, m, n, k = (tuple(size[c] for c in group) for group in (batch, xs, ys, inner))
    rows, columns, depth = dims.product(m), dims.product(n), dims.product(k)
    product = MATMUL(reshape(x, (*b, rows, depth)), reshape(y, (*b, depth, columns)))
    return reshape(product, (*b, *m, *n)), term


def _outer(left: Labelled, right: Labelled, term: str, size: dict[str, Size]) -> Any:
    shape = [size[c] for c in term]
    spread = []
    for x, own in (left, right):
        x = transpose(x, [own.index(c) for c in term if c in own])
        spread.append(broadcast_to(reshape(x, [size[c] if c in own else 1 for c in term]), shape))
    return FUNCTIONS["multiply"](*spread)


@public
def tensordot(x: Any, y: Any, axes: int | Sequence[Axes] = 2) -> Any:
    """The sum of products over pairs of axes, as NumPy's `tensordot`.

    Args:
        x: a tensor.
        y: a tensor.
        axes: a number (the last axes of x with the first of y), or two lists of axes.

    Returns:
        The free axes of x, then those of y.

    Raises:
        ShapeError: the sizes of a pair differ, or cannot be shown to be equal.
    """
    x, y = same_dtype("tensordot", x, y)
    xr, yr = len(x.type.shape), len(y.type.shape)
    if isinstance(axes, int | np.integer):
        pairs: Any = (range(xr - int(axes), xr), range(int(axes)))
        if not 0 <= axes <= min(xr, yr):
            raise ShapeError(f"tensordot: axes={axes} of {x.type} and {y.type}", where=caller())
    else:
        pairs = [a if isinstance(a, Sequence | range) else (a,) for a in axes]
    xa = [check_axis("tensordot", a, xr) for a in pairs[0]]
    ya = [check_axis("tensordot", a, yr) for a in pairs[1]]
    sizes = [[t.type.shape[a] for a in axes_] for t, axes_ in ((x, xa), (y, ya))]
    if sizes[0] != sizes[1]:
        raise ShapeError(
            f"tensordot: sizes {sizes[0]} and {sizes[1]} differ",
            [describe(x), describe(y)],
            where=caller(),
        )
    xf, yf = [a for a in range(xr) if a not in xa], [a for a in range(yr) if a not in ya]
    m, n, k = (tuple(t.type.shape[a] for a in axes_) for t, axes_ in ((x, xf), (y, yf), (x, xa)))
    left = reshape(transpose(x, (*xf, *xa)), (dims.product(m), dims.product(k)))
    right = reshape(transpose(y, (*ya, *yf)), (dims.product(k), dims.product(n)))
    return reshape(MATMUL(left, right), (*m, *n))

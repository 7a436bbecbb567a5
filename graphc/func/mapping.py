"""`vmap`: a function of one element as a function of a batch, see `passes.batch`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.core.ir import Node, caller, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.core.trees import Tree
from graphc.core.walk import toposort
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.func.lifting import Call
from graphc.ops.arrays.shaping import cut
from graphc.ops.axes import check_axis
from graphc.ops.batch import spread
from graphc.ops.flow.closures import check_function, placeholder
from graphc.ops.source import is_stream
from graphc.passes.batch import batched


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function of one element as a function of a batch of them: `func` on each slice at once.

    What it computes is rewritten with one more axis in front; what can only be done element by
    element (a loop that each ends by itself) is a loop, and gives the same.

    Args:
        func: of tensors, and structures (lists, tuples, dicts) of them; returns such.
        in_dims: the axis of the batch, for all arguments or as a tuple of one for each, whose
            parts may have the structure of the argument. None: the same for all elements.
            Keyword arguments are batched along their first axis.
        out_dims: where the results have it; None for one that is the same for all elements.
        randomness: what draws of random numbers in `func` are: "error", "same" for all elements,
            or "different"; of symbolic tensors alone.
        chunk_size: how many elements are computed at once, where all together would need more
            memory than there is; None for all.

    Returns:
        The function of batches.

    Raises:
        ShapeError: batches of different sizes; a size that differs from element to element.
        ArgumentError: an axis for what is no tensor; no axis at all; draws are an error.

    Example:
        >>> import graphc as gc
        >>> rows, vector = gc.ones(2, 3), gc.tensor([1.0, 2.0, 3.0])
        >>> gc.vmap(gc.dot, in_dims=(0, None))(rows, vector)
        tensor([6., 6.])
    """
    check_function("vmap", func)
    is_size = isinstance(chunk_size, int) and not isinstance(chunk_size, bool)
    if chunk_size is not None and not (is_size and chunk_size >= 1):
        raise AttributeValueError(
            f"vmap: chunk_size is {chunk_size!r:.40}",
            where=caller(),
            hint="an int above 0, or None",
        )
    if randomness not in ("error", "same", "different"):
        raise AttributeValueError(
            f"vmap: randomness is {randomness!r:.40}",
            where=caller(),
            hint='one of "error", "same", "different"',
        )

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        call = Call("vmap", func, args, kwargs)
        axes = _axes(call, in_dims)
        form: list[Tree] = []

        def make(nodes: Sequence[Node]) -> list[Node]:
            wide, elements = _elements(nodes, axes)
            outputs, tree = call.value(elements)
            form.append(tree)
            new = {e: w for e, w in zip(elements, wide) if e is not w}
            size = next(iter(new.values())).shape[0]
            new |= _draws(outputs, size, randomness)
            places = [*_spread_out("out_dims", out_dims, tree)]
            found = _in_chunks(outputs, new, size, chunk_size)
            return [
                _placed(output, rows, size, place)
                for output, rows, place in zip(outputs, found, places)
            ]

        results = call.run(make)
        return form[-1].restore(results)

    return mapped


def _spread_out(word: str, dims: Any, tree: Tree) -> Iterator[Any]:
    """The axis of each leaf of a structure, of which some may be given for whole parts."""
    if dims is None or (isinstance(dims, int) and not isinstance(dims, bool)):
        yield from [dims] * tree.count
        return
    is_dict = isinstance(dims, dict)
    parts = [dims[k] for k in tree.keys if k in dims] if is_dict else dims
    if not isinstance(parts, list | tuple) or len(parts) != len(tree.parts) or tree.form is None:
        raise ArgumentError(
            f"vmap: {word} {dims!r:.60} for {tree}",
            where=caller(),
            hint="an int or None for all, or a structure with one for each part",
        )
    for part, inside in zip(parts, tree.parts):
        yield from _spread_out(word, part, inside)


def _axes(call: Call, in_dims: Any) -> list[Any]:
    """The axis of the batch in each tensor of a call, counted from the front; None for none."""
    arguments, words = call.tree.parts
    if isinstance(in_dims, list):
        in_dims = tuple(in_dims)
    every = [*_spread_out("in_dims", in_dims, arguments), *[0] * words.count]
    others = [k for k, axis in enumerate(every) if axis is not None and k not in call.places]
    if others:
        raise ArgumentError(
            f"vmap: argument{call.tree.paths()[others[0]][3:]} is no tensor, and has in_dims "
            f"{every[others[0]]}",
            where=caller(),
            hint="give it None: in_dims=(0, None)",
        )
    axes = [every[k] for k in call.places]
    found = [
        None if axis is None else check_axis("vmap", axis, len(t.shape))
        for axis, t in zip(axes, call.tensors)
    ]
    sizes = {t.shape[a]: None for a, t in zip(found, call.tensors) if a is not None}
    if not sizes:
        raise ArgumentError("vmap: in_dims is None for all arguments", where=caller())
    if len(sizes) > 1:
        raise ShapeError(
            f"vmap: batches of different sizes: {', '.join(map(str, sizes))}", where=caller()
        )
    return found


def _elements(nodes: Sequence[Node], axes: Sequence[Any]) -> tuple[list[Node], list[Node]]:
    """The tensors with the batch in front, and what stands for one element of each."""
    wide = [
        x if axis is None else FUNCTIONS["moveaxis"](x, axis, 0) for x, axis in zip(nodes, axes)
    ]
    elements = [
        x if axis is None else placeholder(f"element{k}", tensor_type(x).with_shape(x.shape[1:]))
        for k, (x, axis) in enumerate(zip(wide, axes))
    ]
    return wide, elements


def _draws(outputs: Sequence[Node], size: Any, randomness: str) -> dict[Node, Node]:
    """States of generators that each element has its own of."""
    streams = [node for node in toposort(outputs) if is_stream(node)]
    if streams and randomness == "error":
        raise ArgumentError(
            "vmap: the function draws random numbers: the same for all elements, or other ones?",
            where=caller(),
            hint='say randomness="same" or "different", or give it keys: gc.fold_in(key, numbers)',
        )
    if randomness != "different":
        return {}
    numbers = FUNCTIONS["iota"]((size,))
    return {stream: FUNCTIONS["fold_in"](stream, numbers) for stream in streams}


def _in_chunks(
    outputs: Sequence[Node], new: dict[Node, Node], size: Any, most: int | None
) -> list[Node | None]:
    """Outputs for all elements: so many at once, by a loop over whole chunks, and the rest."""
    if most is None or (isinstance(size, int) and size <= most):
        return batched(outputs, new)
    whole = size // most * most
    depends = [found is not None for found in batched(outputs, new)]

    def of(rows: Sequence[Node]) -> list[Node]:
        return [f for f in batched(outputs, dict(zip(new, rows))) if f is not None]

    reshape = FUNCTIONS["reshape"]
    chunks = [
        reshape(cut(x, 0, 0, whole), (size // most, most, *x.shape[1:])) for x in new.values()
    ]
    mapped = FUNCTIONS["map"](of, chunks)
    first = [reshape(x, (whole, *x.shape[2:])) for x in mapped]
    last = of([cut(x, 0, whole, size - whole) for x in new.values()])
    joined = iter([FUNCTIONS["concatenate"]([a, b]) for a, b in zip(first, last)])
    return [next(joined) if each else None for each in depends]


def _placed(output: Node, found: Node | None, size: Any, place: int | None) -> Node:
    """A result with the batch where it is wanted."""
    if place is None and found is not None:
        raise ArgumentError(
            f"vmap: out_dims is None for {output!r:.60}, which differs from element to element",
            [output.describe()],
            where=caller(),
        )
    if place is None:
        return output
    result = spread(output, size) if found is None else found
    return FUNCTIONS["moveaxis"](result, 0, check_axis("vmap", place, len(result.shape)))


__all__ = ["vmap"]

"""`checkpoint`: values that the backward pass computes again instead of keeping them.

y = checkpoint(block, x, use_reentrant=False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.autograd import Function, backward, enable_grad, is_grad_enabled, no_grad
from graphc.core.trees import flatten
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.random import default_generator


class _Again(Function):
    """Runs a function without recording, and again, recorded, in the backward pass."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Any], state: Tensor | None, *inputs: Tensor) -> Any:
        ctx.run, ctx.state = run, state
        ctx.save_for_backward(*inputs)
        with no_grad():
            return run(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        leaves = [t.detach().requires_grad_(t.requires_grad) for t in ctx.saved_tensors]
        before = default_generator.get_state()
        if ctx.state is not None:
            default_generator.set_state(ctx.state)
        try:
            with enable_grad():
                results = ctx.run(*leaves)
        finally:
            default_generator.set_state(before)
        results = results if isinstance(results, tuple) else (results,)
        pairs = [(r, g) for r, g in zip(results, grads) if r.requires_grad and g is not None]
        backward([r for r, _ in pairs], [g for _, g in pairs])
        return (None, None, *(leaf.grad for leaf in leaves))


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
    preserve_rng_state: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """Call a function, and keep of what it computes the results alone until the backward pass.

    The backward pass calls it again, with the numbers drawn that it drew before.

    Args:
        function: of tensors; it gives a tensor or a tuple of them.
        args: its arguments.
        use_reentrant: of no effect.
        preserve_rng_state: whether the second call draws what the first did.
        kwargs: its keyword arguments.

    Returns:
        What the function returns.

    Example:
        >>> import graphc as gc
        >>> x = gc.ones(2, requires_grad=True)
        >>> gc.utils.checkpoint.checkpoint(lambda x: (x * x).sum(), x).backward()
        >>> x.grad
        tensor([2., 2.])
    """
    leaves, tree = flatten((args, kwargs))
    places = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    if not is_grad_enabled() or not places:
        return function(*args, **kwargs)

    def run(*inputs: Tensor) -> Any:
        given = list(leaves)
        for place, value in zip(places, inputs):
            given[place] = value
        positional, named = tree.restore(given)
        return function(*positional, **named)

    state = default_generator.get_state() if preserve_rng_state else None
    return _Again.apply(run, state, *(leaves[place] for place in places))


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
) -> Any:
    """`checkpoint` of the parts of a sequence of modules.

    Args:
        functions: a `Sequential`, or modules in order.
        segments: how many parts.
        input: of the first.

    Example:
        >>> import graphc as gc
        >>> layers = gc.nn.Sequential(gc.nn.ReLU(), gc.nn.Tanh())
        >>> gc.utils.checkpoint.checkpoint_sequential(layers, 2, gc.zeros(1))
        tensor([0.])
    """
    layers = list(functions)
    size = -(-len(layers) // segments)
    for first in range(0, len(layers), size):
        input = checkpoint(_in_turn(layers[first : first + size]), input)
    return input


def _in_turn(layers: Sequence[Callable[..., Any]]) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return run


__all__ = ["checkpoint", "checkpoint_sequential"]

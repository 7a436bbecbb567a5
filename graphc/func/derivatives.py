"""Derivatives of functions, as functions: by `passes.grad` and `passes.jacobian`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from graphc.core.ir import Node, caller
from graphc.core.trees import Tree, flatten
from graphc.errors import ArgumentError, GradientError
from graphc.func.lifting import Call
from graphc.passes import grad as reverse
from graphc.passes import jacobian as forward
from graphc.passes.stabilise import stabilised

# What is made of a function's results and of the tensors by which it is differentiated.
_Make = Callable[[list[Node], list[Node]], list[Node]]


class _Differentiated:
    """A call of a function, its results beside what is derived of them."""

    def __init__(self, name: str, func: Any, argnums: Any, has_aux: bool, args: Any, kwargs: Any):
        self.call = Call(name, func, args, kwargs)
        self.several = isinstance(argnums, tuple | list)
        self.positions = list(argnums) if self.several else [argnums]
        self.places = [k for p in self.positions for k in self.call.leaves_of(p)]
        self.has_aux = has_aux
        self.out: Tree = Tree()
        self.aux: Tree | None = None

    def run(self, make: _Make) -> tuple[list[Any], Any, Any]:
        """What `make` gives, the function's results, and what else it returned."""
        counts: list[int] = []

        def both(nodes: Sequence[Node]) -> list[Node]:
            outputs, self.out = self.call.value(nodes)
            more: list[Node] = []
            if self.has_aux:
                if self.out.form is not tuple or len(self.out.parts) != 2:
                    raise ArgumentError(
                        f"{self.call.name}: has_aux=True, and the function returns no pair",
                        where=caller(),
                    )
                self.out, self.aux = self.out.parts
                outputs, more = outputs[: self.out.count], outputs[self.out.count :]
            made = make(outputs, [nodes[k] for k in self.places])
            counts[:] = len(made), len(outputs)
            return [*made, *outputs, *more]

        found = self.call.run(both)
        first, second = counts[0], counts[0] + counts[1]
        aux = None if self.aux is None else self.aux.restore(found[second:])
        return found[:first], self.out.restore(found[first:second]), aux

    def form(self, leaves: Sequence[Any]) -> Any:
        """Leaves, one for each tensor by which was differentiated, as `argnums` and arguments."""
        given, parts = iter(leaves), []
        for position in self.positions:
            tree = self.call.form_of(position)
            parts.append(tree.restore([next(given) for _ in range(tree.count)]))
        return tuple(parts) if self.several else parts[0]


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function whose value is the gradient of a scalar function.

    Args:
        func: returns a float scalar; with `has_aux` a pair of it and whatever else.
        argnums: by which positional argument, or a tuple of several; each a tensor or a structure
            of tensors.
        has_aux: whether it returns the pair (gradient, what else).

    Returns:
        A function of the same arguments.

    Example:
        >>> import graphc as gc
        >>> gc.func.grad(lambda x: (x * x).sum())(gc.tensor([1.0, 2.0]))
        tensor([2., 4.])
    """

    @functools.wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        slope, _, aux = _with_slope("grad", func, argnums, has_aux, args, kwargs)
        return (slope, aux) if has_aux else slope

    return derived


def grad_and_value(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As `grad`, the gradient and the value: (gradient, value), or (gradient, (value, aux)).

    Example:
        >>> import graphc as gc
        >>> gc.func.grad_and_value(lambda x: (x * x).sum())(gc.tensor([1.0, 2.0]))
        (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        slope, value, aux = _with_slope("grad_and_value", func, argnums, has_aux, args, kwargs)
        return slope, (value, aux) if has_aux else value

    return derived


def _with_slope(
    name: str, func: Any, argnums: Any, has_aux: bool, args: Any, kwargs: Any
) -> tuple[Any, Any, Any]:
    each = _Differentiated(name, func, argnums, has_aux, args, kwargs)

    def make(outputs: list[Node], wrt: list[Node]) -> list[Node]:
        if len(outputs) != 1 or each.out.form is not None:
            raise GradientError(
                f"{name}: the function returns {each.out}, no scalar", where=caller()
            )
        return reverse.grad(outputs[0], wrt)

    slopes, value, aux = each.run(make)
    return each.form(slopes), value, aux


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """The function whose value is the Jacobian, by rows that are pulled back together.

    Args:
        func: returns a tensor, or a structure of tensors.
        argnums: by which positional argument, or a tuple of several.
        has_aux: whether `func` returns a pair, whose second is given back as it is.

    Returns:
        A function of the same arguments; for each result of `func`, in their structure, a tensor
        of shape `result.shape + argument.shape`.

    Example:
        >>> import graphc as gc
        >>> gc.func.jacrev(lambda x: x * x)(gc.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        each = _Differentiated("jacrev", func, argnums, has_aux, args, kwargs)

        def make(outputs: list[Node], wrt: list[Node]) -> list[Node]:
            return [slope for output in outputs for slope in forward.jacobian(output, wrt)]

        slopes, _, aux = each.run(make)
        count = len(each.places)
        rows = [slopes[k : k + count] for k in range(0, len(slopes), count)]
        found = each.out.restore([each.form(row) for row in rows])
        return (found, aux) if has_aux else found

    return derived


def jacfwd(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """As `jacrev`, whose values it has; here both pull rows back together.

    Example:
        >>> import graphc as gc
        >>> gc.func.jacfwd(gc.sin)(gc.tensor(0.0))
        tensor(1.)
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """The function whose value is the Jacobian of the Jacobian.

    Example:
        >>> import graphc as gc
        >>> gc.func.hessian(lambda x: (x**3).sum())(gc.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of a function, and the function that pulls cotangents back through it.

    Args:
        func: of tensors and structures of them.
        primals: its arguments.
        has_aux: whether `func` returns a pair, whose second is given back as it is.

    Returns:
        (value, pull), with what else there is third: `pull(cotangents)`, in the structure of the
        value, gives a tuple with what belongs to each argument.

    Example:
        >>> import graphc as gc
        >>> value, pull = gc.func.vjp(gc.sin, gc.tensor([0.0]))
        >>> pull(gc.tensor([2.0]))
        (tensor([2.]),)
    """
    each = _Differentiated("vjp", func, tuple(range(len(primals))), has_aux, primals, {})
    _, value, aux = each.run(lambda outputs, wrt: [])

    def pull(cotangents: Any) -> Any:
        given = _flat("vjp", cotangents, each.out)
        count = len(each.call.tensors)

        def make(nodes: Sequence[Node]) -> list[Node]:
            outputs, _ = each.call.value(nodes[:count])
            wrt = [nodes[k] for k in each.places]
            roots = stabilised(outputs[: each.out.count], wrt)
            return reverse.vjp(roots, nodes[count:], wrt)

        return each.form(each.call.run(make, given))

    return (value, pull, aux) if has_aux else (value, pull)


def _flat(name: str, value: Any, tree: Tree) -> list[Any]:
    """The leaves of a structure that must be one of this form."""
    leaves, form = flatten(value)
    if form != tree:
        raise ArgumentError(f"{name}: {form} is given, and {tree} expected", where=caller())
    return leaves


def jvp(
    func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...], *,
    strict: bool = False, has_aux: bool = False,
) -> Any:  # fmt: skip
    """The value of a function, and how it moves where its arguments move along tangents.

    Args:
        func: of tensors and structures of them.
        primals: its arguments, as a tuple.
        tangents: of their structure, shapes and dtypes.
        strict: whether a result that does not depend on the arguments is an error.
        has_aux: whether `func` returns a pair, whose second is given back as it is.

    Returns:
        (value, tangent of the value), with what else there is third.

    Example:
        >>> import graphc as gc
        >>> gc.func.jvp(gc.sin, (gc.tensor([0.0]),), (gc.tensor([2.0]),))
        (tensor([0.]), tensor([2.]))
    """
    each = _Differentiated("jvp", func, tuple(range(len(primals))), has_aux, primals, {})
    given = _flat("jvp", tuple(tangents), each.call.tree.parts[0])
    value, pushed, aux = _pushed(each, given, strict)
    return (value, pushed, aux) if has_aux else (value, pushed)


def _pushed(each: _Differentiated, tangents: Sequence[Any], strict: bool) -> tuple[Any, Any, Any]:
    count, aux_form = len(each.call.tensors), None

    def make(nodes: Sequence[Node]) -> list[Node]:
        outputs, tree = each.call.value(nodes[:count])
        each.out = tree.parts[0] if each.has_aux else tree
        each.aux = tree.parts[1] if each.has_aux else None
        own = outputs[: each.out.count]
        wrt = [nodes[k] for k in each.places]
        return [*forward.jvp(own, wrt, list(nodes[count:])), *outputs]

    found = each.call.run(make, tangents)
    size = each.out.count
    aux_form = None if each.aux is None else each.aux.restore(found[2 * size :])
    return each.out.restore(found[size : 2 * size]), each.out.restore(found[:size]), aux_form


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of a function, and its linear approximation there: `push(*tangents)`.

    Example:
        >>> import graphc as gc
        >>> value, push = gc.func.linearize(gc.exp, gc.tensor([0.0]))
        >>> push(gc.tensor([3.0]))
        tensor([3.])
    """
    each = _Differentiated("linearize", func, tuple(range(len(primals))), False, primals, {})
    _, value, _ = each.run(lambda outputs, wrt: [])

    def push(*tangents: Any) -> Any:
        given = _flat("linearize", tangents, each.call.tree.parts[0])
        return _pushed(each, given, False)[1]

    return value, push


__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]

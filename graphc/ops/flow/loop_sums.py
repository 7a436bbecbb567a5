"""Sums over the steps of a loop that are one matrix product.

A weight that every step multiplies by gets a cotangent that is a sum of products, one for each
step. Summing inside the loop reads and writes the whole sum at each step; the factors stacked and
multiplied once give the same.

    sum of h[t].T @ dz[t] over t   =   H.T @ DZ, where H has the rows of all h[t], DZ of all dz[t]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphc.core import dims
from graphc.core.dims import Size
from graphc.core.ir import Node, is_literal, tensor_type
from graphc.core.operators import FUNCTIONS
from graphc.ops.arrays.movement import RESHAPE, TRANSPOSE
from graphc.ops.contract.matmul import MATMUL
from graphc.ops.elementwise.arithmetic import add

# A sum of fewer elements than a step's factors by this much stays in the loop.
WORTH = 4
SWAPPED = (1, 0)


@dataclass(frozen=True, slots=True)
class Factor:
    """A matrix of each step: `node` reshaped to `shape`, then transposed if so."""

    node: Node
    shape: tuple[Size, Size]
    turned: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product of each step, then transposed if so."""

    left: Factor
    right: Factor
    turned: bool


def products(node: Node, ready: Callable[[Node], bool]) -> list[Product] | None:
    """The products whose sum a node is; None when it is no such sum, or is better summed in the
    loop.

    Args:
        node: what is summed over steps.
        ready: whether a node is the same in each step.
    """
    found: list[Product] = []
    stack = [(node, False)]
    while stack:
        node, turned = stack.pop()
        if node.op is add.op:  # type: ignore[attr-defined]
            stack += [(i, turned) for i in reversed(node.inputs)]
        elif node.op is TRANSPOSE and node.attr("axes") == SWAPPED:
            stack.append((node.inputs[0], not turned))
        elif node.op is MATMUL and all(tensor_type(i).rank == 2 for i in node.inputs):
            left, right = (_factor(i) for i in node.inputs)
            rows, inner = tensor_type(node.inputs[0]).shape
            if dims.at_least(inner - WORTH * rows - 1, 0):
                return None
            if any(is_literal(f.node) or ready(f.node) for f in (left, right)):
                return None
            found.append(Product(left, right, turned))
        else:
            return None
    return found


def _factor(node: Node) -> Factor:
    turned = node.op is TRANSPOSE
    node = node.inputs[0] if turned else node
    rows, columns = tensor_type(node).shape
    while node.op is RESHAPE:
        node = node.inputs[0]
    return Factor(node, (rows, columns), turned)


def total(parts: list[Product], stacked: Callable[[Node], Node], length: Size) -> Node:
    """The sum over steps.

    Args:
        parts: of each step.
        stacked: a node's values in all steps.
        length: how many there are.
    """
    result: Node | None = None
    for part in parts:
        left = _wide(stacked(part.left.node), part.left, length)
        right = _tall(stacked(part.right.node), part.right, length)
        one = MATMUL(left, right)
        one = TRANSPOSE(one, axes=SWAPPED) if part.turned else one
        result = one if result is None else FUNCTIONS["add"](result, one)
    assert result is not None
    return result


def _wide(stack: Node, factor: Factor, length: Size) -> Node:
    """The factors of all steps side by side."""
    rows, columns = factor.shape
    if factor.turned:
        flat = RESHAPE(stack, shape=(length * rows, columns))
        return TRANSPOSE(flat, axes=SWAPPED)
    cube = RESHAPE(stack, shape=(length, rows, columns))
    return RESHAPE(TRANSPOSE(cube, axes=(1, 0, 2)), shape=(rows, length * columns))


def _tall(stack: Node, factor: Factor, length: Size) -> Node:
    """The factors of all steps one below the other."""
    rows, columns = factor.shape
    if not factor.turned:
        return RESHAPE(stack, shape=(length * rows, columns))
    cube = RESHAPE(stack, shape=(length, rows, columns))
    return RESHAPE(TRANSPOSE(cube, axes=(0, 2, 1)), shape=(length * columns, rows))

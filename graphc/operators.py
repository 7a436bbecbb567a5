"""Operators and methods of symbolic tensors, looked up by name among the public functions.

`Operators` is mixed into `ir.Node` (and into patterns and, later, eager tensors). The functions
themselves register here when `ops/` declares them, so nothing is imported upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphc.errors import ArgumentError, ShapeError

FUNCTIONS: dict[str, Callable[..., Any]] = {}


class Operators:
    """Python's operators, NumPy's method names."""

    __slots__ = ()
    # NumPy arrays on the left of an operator leave the work to us.
    __array_ufunc__ = None

    type: Any
    # Eager tensors have a value; in a graph they are constants.
    is_eager = False

    def as_node(self) -> Any:
        """The symbolic tensor that stands for this one in a graph."""
        return self

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes of the axes: ints and symbolic dimensions."""
        return self.type.shape

    @property
    def dtype(self) -> Any:
        """The element type."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.type.shape)

    @property
    def size(self) -> Any:
        """The number of elements: an int or a symbolic dimension."""
        return self.type.size

    @property
    def T(self) -> Any:
        """The tensor with its axes reversed."""
        return FUNCTIONS["transpose"](self)

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, index)

    def __bool__(self) -> bool:
        raise ArgumentError(
            f"the value of {self!r} is not known while the graph is built, so Python cannot "
            "branch on it",
            hint="use gc.where(condition, x, y)",
        )

    def __len__(self) -> int:
        if not self.shape:
            raise ArgumentError("len() of a 0-d tensor")
        if not isinstance(self.shape[0], int):
            raise ShapeError(f"len() needs a fixed size; axis 0 has size {self.shape[0]}")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise ArgumentError(
            f"{self!r} is symbolic and has no value to convert to an array",
            hint="compile or interpret the graph and use the result",
        )

    def astype(self, dtype: Any) -> Any:
        """The tensor cast to another dtype."""
        return FUNCTIONS["cast"](self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape; one size may be -1."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return FUNCTIONS["reshape"](self, tuple(sizes))

    def transpose(self, *axes: Any) -> Any:
        """The tensor with its axes permuted (reversed without arguments)."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        return FUNCTIONS["transpose"](self, tuple(order) or None)

    def __eq__(self, other: Any) -> Any:
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: Any) -> Any:
        return FUNCTIONS["not_equal"](self, other)

    __hash__ = object.__hash__


BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
    "rshift": "right_shift",
}  # fmt: skip
COMPARE = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
UNARY = {"neg": "negative", "abs": "absolute", "invert": "invert", "pos": "positive"}
METHODS = (
    "sum", "prod", "max", "min", "mean", "var", "any", "all", "argmax", "argmin", "cumsum",
    "cumprod", "squeeze", "repeat", "take", "clip", "sort", "argsort", "flatten",
)  # fmt: skip


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[name](self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"See `graphc.{name}`."
    return method


def _reflected(name: str) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return FUNCTIONS[name](other, self)

    method.__name__ = name
    return method


for _python, _name in {**BINARY, **COMPARE, **UNARY}.items():
    setattr(Operators, f"__{_python}__", _forward(_name))
for _python, _name in BINARY.items():
    setattr(Operators, f"__r{_python}__", _reflected(_name))
for _name in METHODS:
    setattr(Operators, _name, _forward(_name))

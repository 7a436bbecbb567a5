"""Operators and methods of symbolic tensors, looked up by name among the public functions.

`Operators` is mixed into `ir.Node`, into patterns and into eager tensors. The functions
themselves register here when `ops/` declares them, so nothing is imported upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from graphc.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from graphc.core.typing import Axes, DTypeLike, Index, Values

FUNCTIONS: dict[str, Callable[..., Any]] = {}


class SymbolicTensorError(ArgumentError, AttributeError):
    """Something of eager tensors that a symbolic one has not: a value, a method of PyTorch's."""


class UnknownValueError(ArgumentError):
    """Python asked whether a symbolic tensor is true, whose value a call of a program brings."""


class Operators:
    """Python's operators, NumPy's method names.

    Example:
        >>> import graphc as gc
        >>> x, y = gc.input("x", (2, 3)), gc.input("y", (3,))
        >>> -x + 2.0 * y, x @ y, x > y, x[0, :2]
        (<add: f32[2, 3]>, <reshape: f32[2]>, <greater: b1[2, 3]>, <reshape: f32[2]>)
    """

    __slots__ = ()
    type: Any
    # Eager tensors have a value; in a graph they are constants.
    is_eager = False

    def as_node(self) -> Any:
        """The symbolic tensor that stands for this one in a graph.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (2, 3))
            >>> x.as_node() is x
            True
        """
        return self

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes of the axes: ints and symbolic dimensions.

        Example:
            >>> import graphc as gc
            >>> n = gc.dim("n")
            >>> gc.input("x", (n, 3)).shape
            (n, 3)
        """
        return self.type.shape

    @property
    def dtype(self) -> Any:
        """The element type.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2,), gc.int8).dtype
            graphc.int8
        """
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2, 3)).ndim
            2
        """
        return len(self.type.shape)

    @property
    def size(self) -> Any:
        """The number of elements: an int or a symbolic dimension.

        Example:
            >>> import graphc as gc
            >>> n = gc.dim("n")
            >>> gc.input("x", (n, 3)).size
            3*n
        """
        return self.type.size

    @property
    def T(self) -> Self:
        """The tensor with its axes reversed.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2, 3)).T
            <transpose: f32[3, 2]>
        """
        return FUNCTIONS["transpose"](self)

    def __getitem__(self, index: Index) -> Self:
        return FUNCTIONS["getitem"](self, index)

    def __bool__(self) -> bool:
        raise UnknownValueError(
            f"the value of {self!r} is not known while the graph is built, so Python cannot "
            "branch on it",
            hint="use gc.where(condition, x, y)",
        )

    def __len__(self) -> int:
        if not self.shape:
            raise ArgumentError("len() of a 0-d tensor", hint="a 0-d tensor has no parts")
        if not isinstance(self.shape[0], int):
            raise ShapeError(
                f"len() needs a fixed size; axis 0 has size {self.shape[0]}",
                hint="x.shape[0] is the size as a value; loop over the axis with gc.map or gc.scan",
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: object = None) -> Any:
        raise ArgumentError(
            f"{self!r} is symbolic and has no value to convert to an array",
            hint="compile or interpret the graph and use the result",
        )

    def __int__(self) -> int:
        raise _no_value("int()", self, "cast it with x.astype(gc.int64)")

    def __float__(self) -> float:
        raise _no_value(
            "float()", self, "compute with it by functions of gc, which take it as it is"
        )

    def __index__(self) -> int:
        raise _no_value(
            "an index or a size", self, "take by it with gc.take(x, index); loop with gc.scan"
        )

    def __round__(self, digits: int | None = None) -> Self:
        if digits is not None:
            raise _no_value("round()", self, "use gc.round(x * 10**digits) / 10**digits")
        return FUNCTIONS["round"](self)

    def __format__(self, how: str) -> str:
        if how:
            raise _no_value(f"the format {how!r}", self, "format what a call of a program returns")
        return repr(self)

    def __setitem__(self, index: object, value: object) -> None:
        raise _no_value(
            "an assignment to a part", self, "x = x.at[index].set(value) makes a new tensor"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        # Arrays on the left of an operator come here too: what NumPy would do, graphc does.
        function = FUNCTIONS.get(ufunc.__name__)
        if method == "__call__" and not settings and function is not None:
            return function(*inputs)
        name = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
        raise _no_value(name, self, "use a function of gc (gc.ops lists them)")

    def astype(self, dtype: DTypeLike) -> Self:
        """The tensor cast to another dtype.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2, 3)).astype(gc.int64)
            <cast: i64[2, 3]>
        """
        return FUNCTIONS["cast"](self, dtype)

    def reshape(self, *shape: Any) -> Self:
        """The same elements in another shape; one size may be -1.

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2, 6)).reshape(3, -1)
            <reshape: f32[3, 4]>
        """
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return FUNCTIONS["reshape"](self, tuple(sizes))

    def transpose(self, *axes: Any) -> Self:
        """The tensor with its axes permuted (reversed without arguments).

        Example:
            >>> import graphc as gc
            >>> gc.input("x", (2, 3, 5)).transpose(1, 0, 2)
            <transpose: f32[3, 2, 5]>
        """
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        return FUNCTIONS["transpose"](self, tuple(order) or None)

    def __eq__(self, other: object) -> Any:
        return FUNCTIONS["equal"](self, other)

    def __ne__(self, other: object) -> Any:
        return FUNCTIONS["not_equal"](self, other)

    __hash__ = object.__hash__

    def __add__(self, other: Values) -> Self:
        return FUNCTIONS["add"](self, other)

    def __radd__(self, other: Values) -> Self:
        return FUNCTIONS["add"](other, self)

    def __sub__(self, other: Values) -> Self:
        return FUNCTIONS["subtract"](self, other)

    def __rsub__(self, other: Values) -> Self:
        return FUNCTIONS["subtract"](other, self)

    def __mul__(self, other: Values) -> Self:
        return FUNCTIONS["multiply"](self, other)

    def __rmul__(self, other: Values) -> Self:
        return FUNCTIONS["multiply"](other, self)

    def __truediv__(self, other: Values) -> Self:
        return FUNCTIONS["divide"](self, other)

    def __rtruediv__(self, other: Values) -> Self:
        return FUNCTIONS["divide"](other, self)

    def __floordiv__(self, other: Values) -> Self:
        return FUNCTIONS["floor_divide"](self, other)

    def __rfloordiv__(self, other: Values) -> Self:
        return FUNCTIONS["floor_divide"](other, self)

    def __mod__(self, other: Values) -> Self:
        return FUNCTIONS["remainder"](self, other)

    def __rmod__(self, other: Values) -> Self:
        return FUNCTIONS["remainder"](other, self)

    def __pow__(self, other: Values) -> Self:
        return FUNCTIONS["power"](self, other)

    def __rpow__(self, other: Values) -> Self:
        return FUNCTIONS["power"](other, self)

    def __matmul__(self, other: Values) -> Self:
        return FUNCTIONS["matmul"](self, other)

    def __rmatmul__(self, other: Values) -> Self:
        return FUNCTIONS["matmul"](other, self)

    def __and__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_and"](self, other)

    def __rand__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_and"](other, self)

    def __or__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_or"](self, other)

    def __ror__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_or"](other, self)

    def __xor__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_xor"](self, other)

    def __rxor__(self, other: Values) -> Self:
        return FUNCTIONS["bitwise_xor"](other, self)

    def __lshift__(self, other: Values) -> Self:
        return FUNCTIONS["left_shift"](self, other)

    def __rlshift__(self, other: Values) -> Self:
        return FUNCTIONS["left_shift"](other, self)

    def __rshift__(self, other: Values) -> Self:
        return FUNCTIONS["right_shift"](self, other)

    def __rrshift__(self, other: Values) -> Self:
        return FUNCTIONS["right_shift"](other, self)

    def __lt__(self, other: Values) -> Self:
        return FUNCTIONS["less"](self, other)

    def __le__(self, other: Values) -> Self:
        return FUNCTIONS["less_equal"](self, other)

    def __gt__(self, other: Values) -> Self:
        return FUNCTIONS["greater"](self, other)

    def __ge__(self, other: Values) -> Self:
        return FUNCTIONS["greater_equal"](self, other)

    def __neg__(self) -> Self:
        return FUNCTIONS["negative"](self)

    def __abs__(self) -> Self:
        return FUNCTIONS["absolute"](self)

    def __invert__(self) -> Self:
        return FUNCTIONS["invert"](self)

    def __pos__(self) -> Self:
        return FUNCTIONS["positive"](self)

    def sum(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.sum`."""
        return FUNCTIONS["sum"](self, axis, keepdims)

    def prod(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.prod`."""
        return FUNCTIONS["prod"](self, axis, keepdims)

    def max(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.max`."""
        return FUNCTIONS["max"](self, axis, keepdims)

    def min(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.min`."""
        return FUNCTIONS["min"](self, axis, keepdims)

    def mean(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.mean`."""
        return FUNCTIONS["mean"](self, axis, keepdims)

    def var(
        self, axis: Axes | None = None, *, keepdims: bool = False, correction: float = 1
    ) -> Self:
        """See `graphc.var`."""
        return FUNCTIONS["var"](self, axis, keepdims=keepdims, correction=correction)

    def any(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.any`."""
        return FUNCTIONS["any"](self, axis, keepdims)

    def all(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.all`."""
        return FUNCTIONS["all"](self, axis, keepdims)

    def argmax(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.argmax`."""
        return FUNCTIONS["argmax"](self, axis, keepdims)

    def argmin(self, axis: Axes | None = None, keepdims: bool = False) -> Self:
        """See `graphc.argmin`."""
        return FUNCTIONS["argmin"](self, axis, keepdims)

    def cumsum(
        self, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
    ) -> Self:
        """See `graphc.cumsum`."""
        return FUNCTIONS["cumsum"](self, axis, reverse=reverse, exclusive=exclusive)

    def cumprod(
        self, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False
    ) -> Self:
        """See `graphc.cumprod`."""
        return FUNCTIONS["cumprod"](self, axis, reverse=reverse, exclusive=exclusive)

    def squeeze(self, axis: Axes | None = None) -> Self:
        """See `graphc.squeeze`."""
        return FUNCTIONS["squeeze"](self, axis)

    def take(self, index: Index, axis: Axes | None = None) -> Self:
        """See `graphc.take`."""
        return FUNCTIONS["take"](self, index, axis)

    def clip(self, min: Values | None = None, max: Values | None = None) -> Self:
        """See `graphc.clip`."""
        return FUNCTIONS["clip"](self, min, max)

    def sort(self, axis: int | None = -1, descending: bool = False) -> Self:
        """See `graphc.sort`."""
        return FUNCTIONS["sort"](self, axis, descending)

    def argsort(self, axis: int | None = -1, descending: bool = False) -> Self:
        """See `graphc.argsort`."""
        return FUNCTIONS["argsort"](self, axis, descending)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """See `graphc.flatten`."""
        return FUNCTIONS["flatten"](self, start_dim, end_dim)


# What the operators are called, for those who make others of them.
BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
    "rshift": "right_shift",
}  # fmt: skip
COMPARE = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}


# What to write instead, of what symbolic tensors do not have.
_INSTEAD = {
    **dict.fromkeys(("numpy", "item", "tolist", "value"),
        "make it an output of a program (gc.compile) and use what a call returns"),
    **dict.fromkeys(("backward", "grad"),
        "gc.grad(loss, parameters) gives gradients as tensors of the graph, "
        "optimizer.updates(loss) a step as updates of a program"),
    **dict.fromkeys(("requires_grad", "requires_grad_"),
        "every float tensor of a graph can be differentiated by: gc.grad(loss, x)"),
    "data": "use x, or gc.stop_gradient(x) for its value without a gradient",
}  # fmt: skip


def _no_value(what: str, tensor: object, hint: str) -> SymbolicTensorError:
    return SymbolicTensorError(
        f"{what} of {tensor!r:.80}, a symbolic tensor, which has no value", hint=hint
    )


def missing(self: object, name: str) -> Any:
    """What is asked of a symbolic tensor that it does not have."""
    if name.startswith("__"):
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
    hint = f"use gc.{name}(x, ...)" if name in FUNCTIONS else (
        "use functions of gc that take symbolic tensors (gc.ops lists them), or write the code on "
        "eager tensors and compile it with gc.jit.compile"
    )  # fmt: skip
    if name in _INSTEAD:
        hint = _INSTEAD[name]
    elif name.endswith("_") and not name.startswith("_"):
        hint = f"symbolic tensors do not change: use x.{name[:-1]}(...), which makes a new one"
    what = "no value" if name.startswith("_") or name in ("numpy", "item") else f"no {name!r}"
    raise SymbolicTensorError(f"{self!r:.80} is a symbolic tensor and has {what}", hint=hint)

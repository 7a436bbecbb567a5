"""Sources: placeholders bound at a call (input, parameter, constant), literals, iota, sizes.

Arrays are never attributes: a parameter or a constant array is a graph input that the driver
binds. Only scalars are written into the graph, by `full`.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.access import access
from graphc.core.dims import Dim, Size
from graphc.core.dlpack import as_array
from graphc.core.dtypes import DType
from graphc.core.interpret import run
from graphc.core.ir import (
    Graph,
    Kind,
    Node,
    NoGradient,
    Op,
    Sample,
    caller,
    immutable,
    toposort,
)
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType
from graphc.core.typing import DTypeLike, ShapeLike, Values
from graphc.errors import ArgumentError, AttributeValueError, ShapeError
from graphc.ops.declare import as_tensor, check_axis, declare, public
from graphc.ops.sizes import as_size
from graphc.ops.state import State

INPUT = NoGradient("an input depends on nothing")


def _placeholder(name: str, doc: str) -> Op:
    def infer(*, name: str, type: TensorType) -> TensorType:
        return type

    def unbound(**attrs: Any) -> Any:
        raise ArgumentError(f"{attrs['name']!r} has no value: it is bound when a graph is run")

    return declare(Op(name, Kind.SOURCE, infer, unbound, INPUT, pure=False, doc=doc))


INPUT_OP = _placeholder("input", "A tensor given at each call.")
PARAMETER_OP = _placeholder("parameter", "State that lives in programs.")
CONSTANT_OP = _placeholder("constant", "A fixed array.")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bound(Node):
    """A placeholder that carries its value: a parameter or a constant."""

    state: State = None  # type: ignore[assignment]

    __hash__ = Node.__hash__

    def __post_init__(self) -> None:
        """Belong to no function that makes it: its value is the same in all of them."""

    @property
    def value(self) -> np.ndarray:
        """A copy of the current value.

        Example:
            >>> import graphc as gc
            >>> gc.constant([1, 2]).value
            array([1, 2])
        """
        with access(reads=(self.state,)):
            return self.state.latest().copy()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Parameter(Bound):
    """State that lives in programs: read and written as a NumPy array through `value`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> w = gc.parameter("w", np.zeros(2, np.float32))
        >>> step = gc.compile([], w, updates={w: w + 1.0})
        >>> step(), w.value
        (array([0., 0.], dtype=float32), array([1., 1.], dtype=float32))
    """

    __hash__ = Node.__hash__

    def __reduce__(self) -> Any:
        """A copy, or what pickle makes of it, is a parameter of its own with this value."""
        return parameter, (self.name, self.value)

    def takes(self, dtype: np.dtype) -> bool:
        """Whether arrays of a dtype can become its value: floats take all numbers.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> w = gc.parameter("w", np.zeros(2, np.float32))
            >>> w.takes(np.dtype("float64")), w.takes(np.dtype("complex64"))
            (True, False)
        """
        own = self.state.latest().dtype
        takes_all = dtypes.is_float(own) and dtypes.has_numbers(dtype)
        return takes_all or np.can_cast(dtype, own, "same_kind")

    @property
    def value(self) -> np.ndarray:
        """A copy of the current value; assign an array of the same shape to change it.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> w = gc.parameter("w", np.zeros(2, np.float32))
            >>> w.value = np.ones(2, np.float32)
            >>> w.value
            array([1., 1.], dtype=float32)
        """
        with access(reads=(self.state,)):
            return self.state.latest().copy()

    @value.setter
    def value(self, new: Any) -> None:
        array = _array(new, None)
        if array.shape != self.type.shape:  # type: ignore[union-attr]
            raise ShapeError(
                f"parameter {self.name!r} is {self.type}; the new value has shape {array.shape}",
                where=caller(),
            )
        if not self.takes(array.dtype):
            raise ArgumentError(
                f"parameter {self.name!r} is {self.type}; the new value is {array.dtype}",
                where=caller(),
                hint="convert the array with astype first",
            )
        with access(writes=(self.state,)):
            self.state.array[...] = array


def _assign(self: Parameter, name: str, value: Values) -> None:
    """`w.value = ...`: a frozen dataclass with slots refuses even a property's setter."""
    if name != "value":
        immutable(self, name, value)
    Parameter.value.fset(self, value)  # type: ignore[attr-defined]


Bound.__setattr__ = immutable  # type: ignore[method-assign, assignment]
Parameter.__setattr__ = _assign  # type: ignore[method-assign, assignment]


def _check_name(what: str, name: object) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise AttributeValueError(
            f"{what}: the name {name!r} is not an identifier", where=caller(), hint='such as "x"'
        )
    return name


def as_shape(what: str, shape: ShapeLike) -> tuple[Any, ...]:
    """A shape as a tuple of non-negative ints and dims.

    Raises:
        ShapeError: a size is negative or no size at all.
    """
    sizes = tuple(shape) if isinstance(shape, Sequence | np.ndarray) else (shape,)
    checked: list[Any] = []
    for size in sizes:
        size = as_size(what, size)
        if isinstance(size, dims.Dim):
            checked.append(size)
            continue
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
            raise ShapeError(
                f"{what}: {size!r} in the shape {sizes} is not a size",
                where=caller(),
                hint="use ints of 0 or more, and gc.dim(name)",
            )
        checked.append(int(size))
    return tuple(checked)


@public
def input(name: str, shape: ShapeLike = (), dtype: DTypeLike = dtypes.float32) -> Node:
    """A tensor that is given at each call of the compiled program.

    Args:
        name: an identifier; calls may pass the array under it.
        shape: ints and symbolic dimensions; () is a scalar.
        dtype: float32 unless given.

    Returns:
        The symbolic tensor.

    Example:
        >>> import graphc as gc
        >>> gc.input("x", (gc.dim("n"), 64))
        <x: f32[n, 64]>
    """
    type_ = TensorType(dtypes.as_dtype(dtype), as_shape(f"input {name!r}", shape))
    return INPUT_OP(name=_check_name("input", name), type=type_)


def _bound(cls: type[Bound], op: Op, name: str, value: Values) -> Any:
    array = np.array(value, order="C", copy=True)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    type_ = TensorType(dtypes.as_dtype(array.dtype), array.shape)
    attrs = (("name", name), ("type", type_))
    return cls(op, (), attrs, type_, caller(), State(array))


@public
def parameter(name: str, value: Values, dtype: DTypeLike | None = None) -> Parameter:
    """State that lives in programs and that `updates` change in place.

    Args:
        name: an identifier.
        value: the first value, an array or a tensor; copied. Its shape is fixed.
        dtype: the value's own unless given.

    Returns:
        The symbolic tensor; read and write its value as `w.value`.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> w = gc.parameter("w", np.zeros((64, 10), np.float32))
        >>> w.value.shape
        (64, 10)
    """
    array = _array(value, dtype)
    return _bound(Parameter, PARAMETER_OP, _check_name("parameter", name), array)


# The states of generators, which programs that draw from them advance; by identity, as `==` makes
# a node.
_streams: weakref.WeakValueDictionary[int, Parameter] = weakref.WeakValueDictionary()


def as_stream(state: Parameter) -> Parameter:
    """The parameter, known as the state of a generator from here on."""
    _streams[id(state)] = state
    return state


def is_stream(node: Node) -> bool:
    """Whether a node is the state of a generator."""
    return _streams.get(id(node)) is node


def _array(value: Values, dtype: DTypeLike | None) -> np.ndarray:
    """What a parameter or a constant is to hold, as an array."""
    if isinstance(value, Operators):
        value = value.detach().numpy() if value.is_eager else _known(value)  # type: ignore[attr-defined]
    return as_array(value, None if dtype is None else dtypes.as_dtype(dtype).numpy)


def _known(node: Any) -> np.ndarray:
    """The value of a symbolic tensor that depends on no input and no parameter."""
    order = toposort([node])
    bound = [n for n in order if isinstance(n, Bound)]
    loose = [n for n in order if n.op is INPUT_OP or isinstance(n, Parameter)]
    if loose:
        raise ArgumentError(
            f"{node!r:.80} is symbolic and has no value",
            [f"it depends on {loose[0].describe()}"],
            where=caller(),
            hint="compile the graph and use what a call returns",
        )
    (value,) = run(Graph.of("value", bound, [node]), [n.value for n in bound])
    return value


@public
def constant(value: Values, dtype: DTypeLike | None = None) -> Node:
    """A fixed value: an array becomes a bound input, a scalar is written into the graph.

    Args:
        value: a number, a list, an array or a tensor; copied.
        dtype: NumPy's choice for the value unless given.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> gc.constant(np.arange(3)), gc.constant(2.5)
        (<constant: i64[3]>, <full: f64[()]>)
    """
    array = _array(value, dtype)
    if array.ndim == 0:
        return full((), array.item(), array.dtype)
    return _bound(Bound, CONSTANT_OP, "constant", array)


def _full_infer(*, value: Values, shape: Any, dtype: DType) -> TensorType:
    return TensorType(dtype, shape)


FULL = declare(
    Op(
        "full", Kind.SOURCE, _full_infer,
        lambda *, value, shape, dtype: np.full(shape, value, dtype.numpy),
        INPUT,
        samples=lambda: [
            Sample((), {"value": 1.5, "shape": (2, 3), "dtype": dtypes.float32}),
            Sample((), {"value": -3, "shape": (), "dtype": dtypes.int8}),
            Sample((), {"value": True, "shape": (0, 2), "dtype": dtypes.bool_}),
        ],
        doc="A tensor filled with one number.",
    )
)  # fmt: skip


@public
def full(shape: ShapeLike, value: Any, dtype: DTypeLike | None = None) -> Node:
    """A tensor filled with one number.

    Args:
        shape: ints and symbolic dimensions.
        value: a Python number, a symbolic dimension or a 0-d tensor.
        dtype: bool, int64 or float64 by the number unless given, the tensor's own.

    Raises:
        CastOverflowError: the dtype cannot hold the value.
    """
    if isinstance(value, Dim | Operators):
        found = as_tensor(value, "full")
        found = found if dtype is None else FUNCTIONS["cast"](found, dtype)
        return FUNCTIONS["broadcast_to"](found, as_shape("full", shape))
    kind = dtypes.as_dtype(type(value) if dtype is None else dtype)
    number = dtypes.check_scalar(value, kind, caller())
    return FULL(value=number, shape=as_shape("full", shape), dtype=kind)


IOTA = declare(
    Op(
        "iota", Kind.SOURCE, lambda *, shape, axis, dtype: TensorType(dtype, shape),
        lambda *, shape, axis, dtype: np.broadcast_to(
            np.arange(shape[axis], dtype=np.int64)
            .astype(dtype.numpy)
            .reshape([-1 if a == axis else 1 for a in range(len(shape))]),
            shape,
        ).copy(),
        INPUT,
        samples=lambda: [
            Sample((), {"shape": (2, 5), "axis": 1, "dtype": dtypes.float32}),
            Sample((), {"shape": (4, 1), "axis": 0, "dtype": dtypes.int64}),
            Sample((), {"shape": (0,), "axis": 0, "dtype": dtypes.int32}),
        ],
        doc="The index of each element along one axis.",
    )
)  # fmt: skip


@public
def iota(shape: ShapeLike, axis: int = 0, dtype: DTypeLike = dtypes.int64) -> Node:
    """The index of each element along one axis.

    Args:
        shape: ints and symbolic dimensions.
        axis: the axis along which the values count from 0.
        dtype: int64 unless given.

    Example:
        >>> import graphc as gc
        >>> gc.compile([], gc.iota((2, 3), axis=1))()
        array([[0, 1, 2],
               [0, 1, 2]])
    """
    sizes = as_shape("iota", shape)
    return IOTA(
        shape=sizes, axis=check_axis("iota", axis, len(sizes)), dtype=dtypes.as_dtype(dtype)
    )


SIZE = declare(
    Op(
        "size", Kind.SOURCE, lambda *, size, dtype: TensorType(dtype, ()),
        lambda *, size, dtype: np.asarray(size, dtype.numpy),
        INPUT,
        samples=lambda: [Sample((), {"size": 7, "dtype": dtypes.float32})],
        doc="A dimension as a number.",
    )
)  # fmt: skip


@public
def size(size: Size, dtype: DTypeLike = dtypes.int64) -> Node:
    """A dimension as a 0-d tensor, for arithmetic on values (a mean over a symbolic axis).

    Args:
        size: an int or a symbolic dimension.
        dtype: int64 unless given.

    Example:
        >>> import numpy as np
        >>> import graphc as gc
        >>> n = gc.dim("n")
        >>> x = gc.input("x", (n,))
        >>> mean = gc.compile([x], gc.sum(x) / gc.size(n, gc.float32))
        >>> mean(np.array([1.0, 2.0, 6.0], np.float32))
        array(3., dtype=float32)
    """
    kind = dtypes.as_dtype(dtype)
    if isinstance(size, int):
        return full((), size, kind)
    return SIZE(size=size, dtype=kind)


def never_zero(node: Node) -> bool:
    """Whether no element can be 0: a number that is not, however it was broadcast, or a size."""
    while node.op.kind is Kind.MOVEMENT and node.op.name in ("broadcast", "reshape"):
        node = node.inputs[0]
    if node.op is FULL:
        return bool(node.attr("value") != 0)
    return node.op is SIZE and dims.at_least(node.attr("size"), 1)

"""`Tensor`: an array that computes at once, and how its operations are run and recorded.

    x = gc.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()          # NumPy or a compiled kernel, now
    y.backward()               # the op table's own gradient rules
    x.grad

`invoke` is the one way in for every op: it finds the call of the signature, runs it, and records
it when a gradient may be asked for. The shorter way of small elementwise ops is in `elementwise`,
methods and functions by their PyTorch names are in `methods` and `functions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc.core.dtypes import _BY_NUMPY as BY_NUMPY
from graphc.core.dtypes import ALL, DType, as_dtype
from graphc.core.ir import Node, Op, caller
from graphc.core.operators import FUNCTIONS
from graphc.core.types import TensorType
from graphc.core.typing import DTypeLike
from graphc.eager.engine.attached import Attached
from graphc.eager.engine.bound import known_parameter, parameter_of
from graphc.eager.engine.changes import changes
from graphc.eager.engine.drawn import node_of, share_mark, written
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state as recording
from graphc.eager.engine.size import Size
from graphc.eager.engine.tape import AccumulateGrad, Edge, Version
from graphc.errors import ArgumentError, GradientError

new = object.__new__
ndarray = np.ndarray


class TypeOf(TensorType):
    """A tensor's type that can also be called, as PyTorch's method `type` is.

    Example:
        >>> import graphc as gc
        >>> gc.ones(2).type(gc.int64)
        tensor([1, 1])
        >>> gc.ones(2).type()
        'torch.FloatTensor'
    """

    __slots__ = ("_of",)

    def __init__(self, dtype: DType, shape: Any, of: Tensor) -> None:
        super().__init__(dtype, shape)
        object.__setattr__(self, "_of", of)

    def __call__(self, dtype: DTypeLike | None = None, non_blocking: bool = False) -> Any:
        """PyTorch's name for the type; given a dtype or such a name, the tensor in it."""
        if dtype is None:
            return f"torch.{self.dtype.title}Tensor"
        if isinstance(dtype, str):
            word = dtype.removeprefix("torch.")
            dtype = next((own for own in ALL if f"{own.title}Tensor" == word), dtype)
        named = getattr(dtype, "place", None)  # gc.FloatTensor and its like
        if named is not None:
            return self._of.to(named, dtype.dtype)  # type: ignore[attr-defined,union-attr]
        return self._of.to(as_dtype(dtype))  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorType):
            return NotImplemented
        return self.dtype is other.dtype and self.shape == other.shape

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))


class Tensor(Attached):
    """An array of one dtype whose operations run at once and can be differentiated.

    Make one with `gc.tensor`, `gc.zeros`, `gc.randn` and their like.

    Example:
        >>> import graphc as gc
        >>> x = gc.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    # What is read wherever a tensor is used is the tensor's own, for Python finds it faster there
    # than on its class; what most tensors have besides is on the class.
    _array: np.ndarray
    _edge: Edge | None = None
    _drawn: Any = None  # where numbers were drawn for it: its mark, see `drawn`
    _version: Version | None = None
    _view: View | None = None
    _views: list[Any] | None = None
    _node: Any = None  # while traced: the node of the graph that is being made
    _grad: Any = None
    _is_state: bool = False  # of a module: values, wherever they came from
    name: str | None = None
    is_eager = True

    def __init__(self, *data: Any) -> None:
        sizes = all(isinstance(d, int | np.integer) and not isinstance(d, bool) for d in data)
        if sizes:  # PyTorch's oldest form: ints are sizes, nothing is a vector of no elements
            self._array = np.zeros(data or (0,), np.float32)
        else:
            (values,) = data
            self._array = np.array(values, np.float32)

    def __hash__(self) -> int:
        return id(self)

    # --- what it is

    @property
    def type(self) -> TensorType:
        """dtype and shape as the graph's types have them, such as `f32[2, 3]`.

        Example:
            >>> import graphc as gc
            >>> print(gc.zeros(2, 3).type)
            f32[2, 3]
        """
        if self._node is not None:
            own = self._node.type
            return TypeOf(own.dtype, own.shape, self)
        array = self._array
        return TypeOf(BY_NUMPY[array.dtype], array.shape, self)

    @property
    def shape(self) -> Any:
        """The sizes of the axes.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2, 3).shape
            graphc.Size([2, 3])
        """
        if self._node is not None:
            return tracing.shape_of(self._node.type.shape)
        return Size(self._array.shape)

    @property
    def dtype(self) -> DType:
        """The element type, such as `gc.float32`.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2).dtype, gc.tensor([1, 2]).dtype
            (graphc.float32, graphc.int64)
        """
        if self._node is not None:
            return self._node.type.dtype
        return BY_NUMPY[self._array.dtype]

    @property
    def ndim(self) -> int:
        """The number of axes.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2, 3).ndim
            2
        """
        return len(self._node.type.shape) if self._node is not None else self._array.ndim

    # --- what is recorded

    @property
    def grad(self) -> Any:
        """The gradient that backward passes added up: a tensor, or None.

        Example:
            >>> import graphc as gc
            >>> x = gc.tensor(3.0, requires_grad=True)
            >>> (x * x).backward()
            >>> x.grad
            tensor(6.)
        """
        if hot.slow and tracing.trace is not None:
            return tracing.trace.grad_of(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise ArgumentError(
                f"grad: {type(value).__name__} is neither a tensor nor None", where=caller()
            )
        if hot.slow and tracing.trace is not None:
            tracing.trace.set_grad(self, value)
        else:
            self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded, so that `backward()` reaches it.

        Example:
            >>> import graphc as gc
            >>> x = gc.zeros(2, requires_grad=True)
            >>> x.requires_grad, (x * 2).requires_grad, x.detach().requires_grad
            (True, True, False)
        """
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set, in place, whether operations on it are recorded.

        Args:
            requires_grad: whether.

        Returns:
            The tensor itself.

        Raises:
            GradientError: its dtype is not float, or it was computed from others.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2).requires_grad_()
            tensor([0., 0.], requires_grad=True)
        """
        if not self.is_leaf:
            if requires_grad:
                return self
            raise GradientError(
                "requires_grad of a tensor that was computed from others cannot be set to False",
                [f"it was made by {self.grad_fn.name}"],
                where=caller(),
                hint="use x.detach() for a tensor without that history",
            )
        if not requires_grad:
            changes.count += 1
            self._edge = None
            return self
        if not self.dtype.is_float:
            raise GradientError(
                f"only tensors of a float dtype can require gradients, not {self.dtype.name}",
                where=caller(),
                hint="convert it first: x.float()",
            )
        if self._edge is None:
            changes.count += self.__class__ is not Tensor
            self._edge = (AccumulateGrad(self), 0)
            self._drawn = None  # a parameter from here on
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was not computed by recorded operations.

        Example:
            >>> import graphc as gc
            >>> x = gc.zeros(2, requires_grad=True)
            >>> x.is_leaf, (x * 2).is_leaf
            (True, False)
        """
        return self._edge is None or isinstance(self._edge[0], AccumulateGrad)

    @property
    def grad_fn(self) -> Any:
        """The recorded operation that made it; None for leaves.

        Example:
            >>> import graphc as gc
            >>> x = gc.zeros(2, requires_grad=True)
            >>> x.grad_fn is None, (x * 2).grad_fn.name
            (True, 'MulBackward0')
        """
        return None if self.is_leaf else self._edge[0]  # type: ignore[index]

    @property
    def data(self) -> Tensor:
        """The same memory without history; assigning replaces the memory.

        Example:
            >>> import graphc as gc
            >>> x = gc.zeros(2, requires_grad=True)
            >>> x.data = gc.ones(2)
            >>> x
            tensor([1., 1.], requires_grad=True)
        """
        if self._node is not None:
            return self.detach()
        if hot.slow and tracing.trace is not None:
            tracing.trace.owned.append((self, self._array))
        result = wrap(self._array)
        share_mark(result, self)
        return result

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise ArgumentError(
                f"data: {type(value).__name__} is not a tensor",
                where=caller(),
                hint="make one with gc.tensor(...)",
            )
        if self._node is not None or value._node is not None:
            tracing.trace.set_data(self, value)
        else:
            if self._version is not None:
                self._version.move(self._array, self._edge, value._array)
            changes.count += 1
            self._array = value._array
            written(self, value._drawn)

    def as_node(self) -> Any:
        """The tensor in a symbolic graph: a constant, or the node while it is traced.

        Random numbers, and what was computed of them, are drawn anew at each call of a program,
        and at each step of a loop; `gc.constant(t)` stands for these very numbers.

        Example:
            >>> import graphc as gc
            >>> gc.zeros(2, 3).as_node(), gc.constant(gc.rand(2, 3)), gc.rand(2, 3).as_node()
            (<constant: f32[2, 3]>, <constant: f32[2, 3]>, <reshape: f32[2, 3]>)
        """
        if hot.slow and tracing.trace is not None:
            return tracing.trace.node_of(self)
        return self._of_graph()

    def _of_graph(self) -> Any:
        """The tensor in a graph that is not traced: a parameter where it is trained, a constant,
        or the draw that made it."""
        if self._edge is not None and self._edge[0].__class__ is AccumulateGrad:
            return parameter_of(self)
        if (known := known_parameter(self._array)) is not None:
            return known
        if self._edge is not None and recording.enabled:
            raise GradientError(
                f"a tensor of shape {tuple(self.shape)} that was computed eagerly, of tensors that "
                "require gradients, would be a constant of a graph: its gradient is lost",
                where=caller(),
                hint="compute it in the graph (from w.as_node()), or say that it is a constant: "
                "gc.constant(t), t.detach()",
            )
        return FUNCTIONS["constant"](self._array) if self._drawn is None else node_of(self)

    @staticmethod
    def build(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Node:
        """An op on symbolic tensors among which eager ones stand: these are constants.

        Example:
            >>> import graphc as gc
            >>> gc.Tensor.build(gc.tanh(gc.input("x", (2,))).op, [gc.zeros(2)], {})
            <tanh: f32[2]>
        """
        return Node.build(op, [i.as_node() for i in inputs], attrs)

    def version(self) -> Version:
        """The counter of writes in place, made when it is first asked for.

        Example:
            >>> import graphc as gc
            >>> x = gc.zeros(2)
            >>> _ = x.add_(1)
            >>> x.version().count
            1
        """
        if self._version is None:
            self._version = Version()
        return self._version


class View:
    """How a tensor is a part of another's memory: the function that takes it from there."""

    __slots__ = ("function", "parent", "static", "template")

    def __init__(self, parent: Tensor, function: Any, template: Any, static: Any) -> None:
        self.parent = parent
        self.function = function
        self.template = template
        self.static = static


def wrap(array: object) -> Tensor:
    """A tensor over an array."""
    tensor = new(Tensor)
    tensor._array = array if array.__class__ is ndarray else np.asarray(array)
    tensor._edge = tensor._drawn = None
    return tensor


# What functions take that compute at once with eager tensors and build the graph of symbolic ones.
AnyTensor: TypeAlias = Tensor | Node
# What eager functions take where they take a tensor.
TensorLike: TypeAlias = Tensor | np.ndarray | np.generic | bool | int | float | Sequence[Any]

"""How ops are declared: builders that fill one `Op` record and make the public function.

    exp = unary("exp", numpy=np.exp, scalar="exp({0})", vjp=lambda n, ct: (ct * n,), kinds=FLOAT)

The record goes to `ir.OPS` (for the printer, verifier, folding, autodiff, lowering and tests), the
public function to `operators.FUNCTIONS` (for users and gradient rules). The public function is
where broadcasting and promotion happen: it inserts `broadcast_to` and `cast` nodes.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.dims import Dim, is_number
from graphc.core.dlpack import as_array
from graphc.core.dtypes import DType
from graphc.core.ir import Cost, Kind, Node, NoGradient, Op, Scalar, caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.core.types import TensorType, broadcast_shapes, shape_symbols
from graphc.core.typing import Operand
from graphc.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
)
from graphc.ops.axes import check_axes, check_axis
from graphc.ops.documented import documented
from graphc.ops.table import declare

ANY = ("bool", "int", "uint", "float")
NUMBER = ("int", "uint", "float")
INTEGER = ("int", "uint")
LOGIC = ("bool", "int", "uint")
FLOAT = ("float",)


class _Rules(threading.local):
    """The promotion in force in this thread: NumPy's, unless the eager face sets its own."""

    promote: Callable[[Sequence[Any], str], DType] | None = None


rules = _Rules()


@contextmanager
def promotion(promote: Callable[[Sequence[Any], str], DType]) -> Iterator[None]:
    """Inside, `promote(values, how)` finds the dtype that operands are brought to."""
    before = rules.promote
    rules.promote = promote
    try:
        yield
    finally:
        rules.promote = before


# What makes of a public function one that takes eager tensors too; the eager face sets it.
faces: Callable[[str, Callable[..., Any]], Callable[..., Any]] | None = None


def public(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """Make `function` part of the public surface, under its own name or `name`.

    Args:
        function: of symbolic tensors first, then settings.
        name: by which users know it.

    Returns:
        The function; one that takes eager tensors too, where the eager face is there already, as
        it is for whoever declares an op outside this package.
    """
    name = name or function.__name__.rstrip("_")
    FUNCTIONS[name] = function
    return function if faces is None else faces(name, function)


def rounded_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a composition compute float16 and bfloat16 in float32, and round its result once.

    Args:
        function: of tensors and, among them or after them, settings that stay as they are.

    Returns:
        The function, of the same signature.
    """
    count = function.__code__.co_argcount

    @functools.wraps(function)
    def run(*given: object, **named: Any) -> Any:
        operands = [as_symbolic(x) for x in given[:count]]
        dtypes_ = {x.type.dtype for x in operands if is_tensor(x)}
        dtype = dtypes_.pop() if len(dtypes_) == 1 else None
        if dtype is None or dtype.wide is None:
            return function(*given, **named)
        cast = FUNCTIONS["cast"]
        wide = [cast(x, dtype.wide) if is_tensor(x) else x for x in operands]
        return cast(function(*wide, *given[count:], **named), dtype)

    return run


def is_tensor(value: object) -> bool:
    """Whether value is a symbolic tensor (or whatever else ops compute on), not an eager one."""
    return isinstance(value, Operators) and not value.is_eager


def as_symbolic(value: object) -> Any:
    """An eager tensor as the symbolic one that stands for it; anything else as it is."""
    return value.as_node() if isinstance(value, Operators) and value.is_eager else value


def is_scalar(value: object) -> bool:
    """Whether value is a Python scalar, whose dtype is weak."""
    return isinstance(value, bool | int | float) and not isinstance(value, np.generic)


def as_number(value: Any) -> Any:
    """A number of NumPy's as the number that it is, whose dtype is weak; anything else as it is."""
    is_number = isinstance(value, np.generic) and dtypes.has_numbers(value.dtype)
    return value.item() if is_number else value


def as_tensor(value: object, name: str) -> Operators:
    """An operand as a tensor: arrays, lists and NumPy scalars become constants.

    Raises:
        ArgumentError: the value is no tensor and NumPy makes no numeric array of it.
    """
    if isinstance(value, Operators):
        return value.as_node() if value.is_eager else value
    if isinstance(value, Dim):
        return FUNCTIONS["size"](value)
    try:
        array = as_array(value)
        dtypes.as_dtype(array.dtype)
    except (TypeError, ValueError, DTypeError):
        raise ArgumentError(
            f"{name}: {type(value).__name__} {value!r:.60} is not a tensor, an array or a number",
            where=caller(),
        ) from None
    return FUNCTIONS["constant"](array)


def operand(value: object, name: str) -> Any:
    """An operand as a tensor, or as the number that it is, whose dtype is weak: a dimension too."""
    value = as_number(value)
    weak = is_tensor(value) or is_scalar(value) or isinstance(value, Dim)
    return value if weak else as_tensor(value, name)


def of_sizes(*values: Any) -> bool:
    """Whether operands are sizes and what was computed of them, beside numbers alone."""
    sizes = [isinstance(v, Dim) or (is_tensor(v) and is_number(v)) for v in values]
    return any(sizes) and all(s or is_scalar(as_number(v)) for s, v in zip(sizes, values))


def weak(found: Any, *operands: Any) -> Any:
    """What an op gave: a number, whose dtype is weak, where its operands are sizes alone."""
    is_number = found.type.dtype is dtypes.float64 and of_sizes(*operands)
    return dims.as_number(found) if is_number else found


def operand_dtypes(values: Sequence[Any]) -> list[Any]:
    """What `promote` wants of each operand: its dtype, or the type of a weak scalar."""
    kinds = [v.type.dtype if is_tensor(v) else type(v) for v in values]
    weak = [is_tensor(v) and is_number(v) for v in values]
    if any(weak) and any(is_tensor(v) and not w for v, w in zip(values, weak)):
        kinds = [float if w else kind for kind, w in zip(kinds, weak)]
    return [int if kind is Dim else kind for kind in kinds]


def conform(name: str, values: Sequence[Any], promote: str = "common") -> list[Operators]:
    """Bring operands to one shape and dtype, as NumPy would; scalars become constants.

    Args:
        name: the op, for messages.
        values: tensors, arrays, numbers of Python's and NumPy's.
        promote: how to find the dtype, see `common_dtype`.

    Returns:
        Tensors of equal type.

    Raises:
        ShapeError: the shapes do not broadcast, or cannot be shown to.
    """
    lifted = [operand(v, name) for v in values]
    dtype = common_dtype(lifted, promote)
    if dtype.is_float and of_sizes(*lifted):
        dtype = dtypes.float64
    shape = common_shape(name, [v for v in lifted if is_tensor(v)])
    return [bring(v, dtype, shape) for v in lifted]


def common_dtype(values: Sequence[Any], promote: str = "common") -> DType:
    """The dtype in which NumPy computes on these operands.

    Args:
        values: tensors and Python scalars.
        promote: "common" for NumPy's promotion; "number" for ops without a loop for bool, which
            becomes int8; "divide" for true division, where integers become float64; "float" for
            exp, hypot ..., where each integer becomes the least float that holds it.
    """
    if rules.promote is not None:
        return rules.promote(values, promote)
    kinds = operand_dtypes(values)
    dtype = dtypes.promote(*kinds)
    # Of bfloat16 NumPy says nothing: it is promoted alike everywhere.
    is_decided = dtype is dtypes.bfloat16 or (dtype.is_float and promote != "float")
    if promote == "common" or is_decided:
        return dtype
    if promote == "number":
        return dtypes.int8 if dtype.kind == "bool" else dtype
    if promote == "divide":
        return dtypes.float64
    strong = [t for t in kinds if isinstance(t, DType)]
    if strong and dtypes.promote(*strong) is dtype:
        return dtypes.promote(*map(dtypes.float_of, strong))
    return dtypes.float_of(dtype)


def common_shape(name: str, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """The broadcast of the tensors' shapes.

    Raises:
        ShapeError: they do not broadcast, or cannot be shown to.
    """
    shape = broadcast_shapes([t.type.shape for t in tensors])
    if shape is None:
        shapes = " and ".join(f"({', '.join(map(str, t.type.shape))})" for t in tensors)
        raise ShapeError(
            f"{name}: shapes {shapes} do not broadcast",
            [describe(t) for t in tensors],
            where=caller(),
            hint=never_none([t.type.shape for t in tensors])
            or "sizes must be equal or 1, axis by axis from the right",
        )
    return shape


def never_none(shapes: Sequence[tuple[Any, ...]]) -> str:
    """A hint for shapes that would be right if no size were 0: n, and one more than n - 1."""
    symbols = {s for shape in shapes for s in shape_symbols(shape) if s.min == 0}
    facts = {s: dims.symbol(dataclasses.replace(s, min=1)) for s in symbols if s.source is None}
    told = [tuple(dims.substitute(d, facts) for d in shape) for shape in shapes]
    if not facts or broadcast_shapes(told) is None:
        return ""
    said = ", ".join(f'gc.dim("{s.name}", min=1)' for s in sorted(facts, key=lambda s: s.name))
    return f"if this is never 0, say so: {said}"


def describe(tensor: Any) -> str:
    """An operand in one line of an error: name, type, the line that made it."""
    return tensor.describe() if isinstance(tensor, Node) else str(tensor.type)


def bring(value: Any, dtype: DType, shape: tuple[Any, ...]) -> Any:
    """One operand cast and broadcast; a scalar becomes a constant of that type."""
    if isinstance(value, Dim):
        value = FUNCTIONS["size"](value, dtype if dtype.kind != "bool" else dtypes.int64)
    if is_number(value):
        value = value.inputs[0]  # before it was rounded
    if not is_tensor(value):
        value = dtypes.check_scalar(value, dtype, caller())
        return FUNCTIONS["full"](shape, value, dtype)
    if value.type.dtype is not dtype:
        value = FUNCTIONS["cast"](value, dtype)
    return value if value.type.shape == shape else FUNCTIONS["broadcast_to"](value, shape)


def infer_elementwise(name: str, kinds: tuple[str, ...], result: Any) -> Callable[..., TensorType]:
    """The inference of an elementwise op: equal operand types of an allowed kind.

    `result` is "same", a `DType`, or a function of the operand types and attributes.
    """

    def infer(*types: TensorType, **attrs: Any) -> TensorType:
        first = types[0]
        if any(t != first for t in types[1:]):
            raise ShapeError(
                f"{name}: operands must have one type, got {' and '.join(map(str, types))}",
                where=caller(),
            )
        if first.dtype.kind not in kinds:
            allowed = ", ".join(d.name for d in dtypes.ALL if d.kind in kinds)
            raise DTypeError(
                f"{name}: {first.dtype.name} is not supported",
                where=caller(),
                hint=f"cast to one of {allowed}",
            )
        if callable(result):
            return result(*types, **attrs)
        return first if result == "same" else first.with_dtype(result)

    return infer


def in_float32(compute: Callable[..., Any]) -> Callable[..., Any]:
    """The definition of a float op, with float16 and bfloat16 in float32 and rounded once."""

    def run(*arrays: np.ndarray, **attrs: Any) -> Any:
        dtype = arrays[0].dtype
        if not dtypes.is_narrow(dtype):
            return compute(*arrays, **attrs)
        result = compute(*map(dtypes.widened, arrays), **attrs)
        return result.astype(dtype) if result.dtype == np.float32 else result

    run.__wrapped__ = compute  # type: ignore[attr-defined]
    return run


def elementwise_op(
    name: str,
    *,
    numpy: Callable[..., Any],
    scalar: Any,
    vjp: Any,
    doc: str,
    kinds: tuple[str, ...] = NUMBER,
    result: Any = "same",
    commutative: bool = False,
    checked: Any = False,
    domain: str = "real",
    infer: Any = None,
    samples: Any = None,
    example: str = "",
    cost: Cost | None = None,
) -> Op:
    """Declare an elementwise op; its public function is made apart.

    Args:
        name: NumPy's name of the op.
        numpy: the definition, on arrays of equal dtype.
        scalar: kernel-language template, a function of operand dtypes and attrs giving one, or a
            whole `Scalar` for a checked op.
        vjp: the gradient rule, or `NoGradient(reason)`.
        doc: what it computes.
        kinds: dtype kinds it takes.
        result: "same", a dtype, or a function of the operand types.
        commutative: whether operands may be swapped.
        checked: whether it can fail at run time; `check` gives the condition: see `ir.Scalar`.
        domain: what tests draw operands from; "a/b" when the operands' domains differ.
        infer: the whole inference, where operands of equal type are not the rule.
        samples: test cases, where operands of equal type are not the rule.
        example: operands and what they give, as they print: "[4.0, 9.0] -> [2., 3.]"; `help`
            shows it as a call, which the tests run.
        cost: what NumPy takes for the definition, where that is more than a plain loop.

    Returns:
        The op.
    """
    return declare(
        Op(
            name, Kind.ELEMENTWISE, infer or infer_elementwise(name, kinds, result),
            in_float32(numpy), vjp, scalar if isinstance(scalar, Scalar) else Scalar(scalar),
            commutative=commutative, checked=checked, domain=domain, samples=samples, doc=doc,
            example=example, cost=cost,
        )
    )  # fmt: skip


def is_pattern(*operands: object) -> bool:
    """Whether a pattern is among the operands: then ops are built without promotion."""
    return any(getattr(v, "is_pattern", False) for v in operands)


def elementwise(name: str, arity: int, promote: str = "common", **facts: Any) -> Callable[..., Any]:
    """Declare an elementwise op and make its public function.

    Args:
        name: NumPy's name of the op.
        arity: 1, 2 or 3 operands.
        promote: how operands are brought to one dtype, see `common_dtype`.
        facts: what `elementwise_op` takes.

    Returns:
        The public function.
    """
    op = elementwise_op(name, **facts)

    def build(*operands: Operators) -> Any:
        if is_pattern(*operands):
            return op(*operands)
        try:
            return weak(op(*conform(name, operands, promote)), *operands)
        except DTypeError as error:
            given = [describe(v) for v in operands if is_tensor(v)]
            details = error.details or given
            raise DTypeError(error.what, details, where=error.where, hint=error.hint) from None

    function = _with_arity(build, arity)
    function.op = op  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = documented(op)
    return public(function, name)


def pieces(node: Node, ct: Node) -> tuple[None, ...]:
    """The gradient of a piecewise constant function: zero, as in PyTorch."""
    return (None,) * len(node.inputs)


def literal(dtype: DType, value: bool | int | float) -> str:
    """A constant of a dtype in the kernel language, in which its elements are computed."""
    return f"{dtype.compute.short}({value})"


def _with_arity(build: Callable[..., Any], arity: int) -> Callable[..., Any]:
    def one(x: Operand) -> Any:
        return build(x)

    def two(x: Operand, y: Operand) -> Any:
        return build(x, y)

    def three(x: Operand, y: Operand, z: object) -> Any:
        return build(x, y, z)

    functions: dict[int, Callable[..., Any]] = {1: one, 2: two, 3: three}
    return functions[arity]


def unary(name: str, **facts: Any) -> Callable[..., Any]:
    """`elementwise` with one operand."""
    return elementwise(name, 1, **facts)


def binary(name: str, **facts: Any) -> Callable[..., Any]:
    """`elementwise` with two operands of equal type."""
    return elementwise(name, 2, **facts)


__all__ = [
    "ANY", "FLOAT", "INTEGER", "LOGIC", "NUMBER", "NoGradient", "as_symbolic", "as_tensor",
    "binary", "bring", "check_axes", "check_axis", "common_dtype", "common_shape", "conform",
    "declare", "describe", "elementwise", "elementwise_op", "in_float32", "infer_elementwise",
    "is_pattern", "is_scalar", "is_tensor", "literal", "never_none", "operand",
    "operand_dtypes", "pieces", "promotion", "public", "unary", "weak",
]  # fmt: skip

"""How each op reads in NumPy: one expression, of NumPy's own functions or of its definition.

add(v0, v1)                     v0 + v1
sum(x, axes=(1,))               sum_(x, axes=(1,))
conv(x, w, stride=(1, 1), ...)  conv(x, w, stride=(1, 1), ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from graphc.core import dtypes
from graphc.core.dims import Dim
from graphc.core.dtypes import DType
from graphc.core.ir import Node, Op, tensor_type
from graphc.errors import ArgumentError
from graphc.jit.export.numpy_definitions import definition_of
from graphc.ops.source import FULL

Use = Callable[[str | Op], str]

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "equal": "==", "not_equal": "!=",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "bitwise_and": "&",
    "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip
PREFIX = {"negative": "-", "invert": "~"}


def text_of(value: object) -> str:
    """An attribute as Python, sizes as expressions of their symbols."""
    if isinstance(value, tuple):
        inside = ", ".join(map(text_of, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, DType):
        return name_of(value)
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    return str(value) if isinstance(value, Dim) else repr(value)


def name_of(dtype: DType) -> str:
    """A dtype as Python; bfloat16 is not NumPy's, and imported by its name."""
    if dtype is dtypes.bfloat16:
        return dtype.name
    return f"np.{dtype.name}" if dtype.kind != "bool" else "np.bool_"


def expression(node: Node, operands: Sequence[str], functions: Mapping[str, str], use: Use) -> str:
    """A node's value as an expression.

    Args:
        node: any node but an input.
        operands: the names of its operands.
        functions: the names of its nested graphs as functions, by attribute.
        use: notes that a helper or an op's definition is called, and gives its name; "" for a
            definition that needs more than NumPy.

    Raises:
        ArgumentError: the op has no form in NumPy.
    """
    name = node.op.name
    if name in SPECIAL:
        return SPECIAL[name](node, operands, use)
    if name in CONTROL:
        return CONTROL[name](node, operands, functions, use)
    return _defined(node, operands, use)


def _defined(node: Node, operands: Sequence[str], use: Use) -> str:
    """NumPy's own function, or the op's definition, called with its attributes."""
    name = node.op.name
    definition = definition_of(node.op)
    ufunc = definition.__name__ if isinstance(definition, np.ufunc) else ""
    is_numpys = name == "where" or hasattr(np, ufunc or "-")
    function = f"np.{ufunc or name}" if is_numpys else use(node.op)
    if not function:
        raise ArgumentError(
            f"the op {name} has no form in NumPy",
            [node.describe()],
            hint="give `numpy=` one of NumPy's ufuncs, or a function or lambda that needs `np` "
            "alone; or save the program with gc.jit.save",
        )
    settings = [f"{key}={_setting(value, use)}" for key, value in node.attrs]
    is_narrow = any(tensor_type(i).dtype.wide is not None for i in node.inputs[:1])
    if is_narrow and definition is not node.op.numpy and not _exact(name):
        return f"{use('in_float32')}({', '.join([function, *operands, *settings])})"
    if name in INFIX:
        return f"{operands[0]} {INFIX[name]} {operands[1]}"
    if name in PREFIX:
        return f"{PREFIX[name]}{operands[0]}"
    return f"{function}({', '.join([*operands, *settings])})"


def _setting(value: object, use: Use) -> str:
    """An attribute as a definition takes it."""
    return f"{use('as_dtype')}({text_of(value)})" if isinstance(value, DType) else text_of(value)


def read(node: Node) -> tuple[Node, ...]:
    """The operands that a node's expression names: not what is there for its gradient alone."""
    return node.inputs[:1] if node.op.name == "gradient_as" else node.inputs


def takes_number(node: Node) -> bool:
    """Whether a Python number may stand for an operand of one number: NumPy then takes the dtype
    of the others."""
    others = node.inputs[1:] if node.op.name == "where" else node.inputs
    definition = getattr(node.op.numpy, "__wrapped__", None)
    plain = isinstance(definition, np.ufunc) or node.op.name == "where"
    if not plain or len(others) < 2 or all(i.op is FULL for i in others):
        return False
    return not any(tensor_type(i).dtype.wide is not None for i in node.inputs)


def number(node: Node) -> str:
    """The number that a tensor is filled with."""
    text = text_of(node.attr("value"))
    return f"({text})" if text.startswith("-") else text


def _exact(name: str) -> bool:
    """Whether an op of narrow floats gives the same without going through float32."""
    return name in ("negative", "equal", "not_equal", "less", "less_equal", "greater")


def _broadcast(node: Node, operands: Sequence[str], use: Use) -> str:
    (x,), axes, shape = operands, node.attr("axes"), text_of(node.attr("shape"))
    if tensor_type(node.inputs[0]).rank == 0 or axes == tuple(range(len(axes))):
        return f"np.broadcast_to({x}, {shape})"
    return f"np.broadcast_to(np.expand_dims({x}, {text_of(axes)}), {shape})"


def _slice(node: Node, operands: Sequence[str], use: Use) -> str:
    limits = tensor_type(node.inputs[0]).shape
    parts = []
    rows = zip(node.attr("starts"), node.attr("sizes"), node.attr("steps"), limits)
    for start, size, step, limit in rows:
        if start == 0 and step == 1 and size == limit:
            parts.append(":")
        elif step < 0 or not isinstance(start, int):
            return _defined(node, operands, use)
        elif step == 1:
            parts.append(f"{start}:{start + size}")
        else:
            parts.append(f"{start}:{start + size * step}:{step}")
    return f"{operands[0]}[{', '.join(parts)}]" if parts else operands[0]


def _full(node: Node, operands: Sequence[str], use: Use) -> str:
    dtype, shape = text_of(node.attr("dtype")), node.attr("shape")
    value = text_of(node.attr("value"))
    return f"np.full({text_of(shape)}, {value}, {dtype})" if shape else f"{dtype}({value})"


def _size(node: Node, operands: Sequence[str], use: Use) -> str:
    return f"{text_of(node.attr('dtype'))}({node.attr('size')})"


def _iota(node: Node, operands: Sequence[str], use: Use) -> str:
    shape, dtype = node.attr("shape"), node.attr("dtype")
    if len(shape) == 1 and dtype is dtypes.int64:
        return f"np.arange({shape[0]})"
    return _defined(node, operands, use)


def _cast(node: Node, operands: Sequence[str], use: Use) -> str:
    source, dtype = tensor_type(node.inputs[0]).dtype, node.attr("dtype")
    if not dtype.is_integer or source.kind == "bool":
        return f"{operands[0]}.astype({text_of(dtype)})"
    checked = node.attr("overflow") == "error"
    if checked and np.can_cast(source.numpy, dtype.numpy, "safe"):
        return f"{operands[0]}.astype({text_of(dtype)})"
    return _defined(node, operands, use)


def _truth(function: str) -> Callable[..., str]:
    return lambda node, operands, use: (
        f"np.{function}({operands[0]}, axis={text_of(node.attr('axes'))})"
    )


def _matmul(node: Node, operands: Sequence[str], use: Use) -> str:
    if tensor_type(node).dtype.wide is not None:
        return _defined(node, operands, use)
    return f"{operands[0]} @ {operands[1]}"


def _first(node: Node, operands: Sequence[str], use: Use) -> str:
    return operands[0]


SPECIAL: Mapping[str, Callable[[Node, Sequence[str], Use], str]] = {
    "all": _truth("all"),
    "any": _truth("any"),
    "broadcast": _broadcast,
    "cast": _cast,
    "concat": lambda node, operands, use: (
        f"np.concatenate(({', '.join(operands)},), {node.attr('axis')})"
    ),
    "full": _full,
    "gradient_as": _first,
    "iota": _iota,
    "item": lambda node, operands, use: f"{operands[0]}[{node.attr('index')}]",
    "matmul": _matmul,
    "reshape": lambda node, operands, use: (
        f"np.reshape({operands[0]}, {text_of(node.attr('shape'))})"
    ),
    "size": _size,
    "slice": _slice,
    "stop_gradient": _first,
    "transpose": lambda node, operands, use: (
        f"np.transpose({operands[0]}, {text_of(node.attr('axes'))})"
    ),
}


def _cond(node: Node, operands: Sequence[str], functions: Mapping[str, str], use: Use) -> str:
    given = ", ".join(operands[1:])
    return f"{functions['true']}({given}) if {operands[0]} else {functions['false']}({given})"


def _scan(node: Node, operands: Sequence[str], functions: Mapping[str, str], use: Use) -> str:
    first, last = node.attr("carries"), node.attr("carries") + node.attr("sequences")
    groups = [operands[:first], operands[first:last], operands[last:]]
    stacks = [tensor_type(o) for o in node.attr("body").outputs[first:]]
    rest = [
        *map(_names, groups), str(node.attr("length")), str(node.attr("reverse")),
        _names([f"({text_of(t.shape)}, {text_of(t.dtype)})" for t in stacks]),
    ]  # fmt: skip
    return f"{use('scan')}({functions['body']}, {', '.join(rest)})"


def _while(node: Node, operands: Sequence[str], functions: Mapping[str, str], use: Use) -> str:
    first = node.attr("carries")
    groups = f"{_names(operands[:first])}, {_names(operands[first:])}"
    steps = text_of(node.attr("max_steps"))
    return f"{use('while_loop')}({functions['cond']}, {functions['body']}, {groups}, {steps})"


def _names(operands: Sequence[str]) -> str:
    inside = ", ".join(operands)
    return f"({inside},)" if len(operands) == 1 else f"({inside})"


CONTROL = {"cond": _cond, "scan": _scan, "while_loop": _while}

"""`out=`: the functions that write what they compute into tensors that are given.

    total = gc.empty(3)
    gc.add(a, b, out=total)                     # returns total itself
    gc.sort(x, out=(values, indices))

One mechanism for all of them: the function computes, then its results are written, so that an
operand may be a target too. As in PyTorch nothing is recorded, and a target takes any dtype that
its result can be cast to; one of another shape is resized where no other tensor sees its memory.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

from graphc.core import dtypes
from graphc.core.ir import caller
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine.composite import store
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.invoke import invoke
from graphc.eager.engine.mode import state
from graphc.eager.engine.template import SLOT
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, DTypeError, GradientError, GraphcWarning, ShapeError

_NAMES = """
    abs absolute acos acosh add addbmm addcdiv addcmul addmm addmv addr all amax amin aminmax
    any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort asin
    asinh atan atan2 atanh baddbmm bernoulli bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor bmm cat ceil cholesky cholesky_inverse
    cholesky_solve clamp clamp_max clamp_min clip concat concatenate copysign cos cosh cross
    cumprod cumsum deg2rad diag digamma div divide dot empty eq erf erfc erfinv exp exp2 expm1
    eye fix float_power floor floor_divide fmax fmin fmod frac frexp full gather gcd ge greater
    greater_equal gt heaviside hstack hypot i0 index_add index_copy index_reduce index_select
    inner inverse kron kthvalue lcm ldexp le lerp less less_equal lgamma linspace log log10
    log1p log2 log_softmax logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
    logit logspace logsumexp lt lu_solve lu_unpack masked_select matmul matrix_power max maximum
    mean median min minimum mm mul multinomial multiply mv mvlgamma nan_to_num ne neg negative
    nextafter nonzero norm normal not_equal ones orgqr outer polygamma pow prod qr rad2deg rand
    randint randn randperm reciprocal remainder round row_stack rsqrt scatter scatter_add
    scatter_reduce searchsorted sgn sigmoid sign signbit sin sinc sinh slogdet softmax sort sqrt
    square stack std sub subtract sum svd take take_along_dim tan tanh tensordot topk
    angle bucketize column_stack cummax cummin dstack histc histogram isin isneginf isposinf
    logcumsumexp mode msort nanmean nanmedian nanquantile nansum narrow_copy quantile range
    slice_scatter    renorm
    triangular_solve tril triu true_divide trunc var vdot vstack where xlogy zeros
"""
TAKES_OUT = frozenset(_NAMES.split())
# These compute in the dtype of their target.
_IN_ITS_DTYPE = frozenset((
    "arange", "cumprod", "cumsum", "empty", "eye", "full", "linspace", "logspace", "ones", "prod",
    "rand", "randint", "randn", "randperm", "range", "sum", "nansum", "nanmean", "zeros",
))  # fmt: skip
_OF_BOOLS = frozenset(("all", "any", "signbit"))  # their results are of bools, and so the target
_OUT = inspect.Parameter(
    "out",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation="Tensor | Sequence[Tensor] | None",
)


def with_out(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A public function that takes `out=` as well, if its name is one of those that do."""
    if name not in TAKES_OUT:
        return function

    @functools.wraps(function)
    def apply(*args: object, **kwargs: Any) -> Any:
        if kwargs and "out" in kwargs:
            return call_into(name, function, args, kwargs)
        return function(*args, **kwargs)

    apply.__signature__ = signature_with_out(function)  # type: ignore[attr-defined]
    return apply


def signature_with_out(function: Callable[..., Any]) -> inspect.Signature:
    """What `help` shows of a function that takes `out=` as well: its own parameters and that."""
    own = inspect.unwrap(function)
    # Forms of one shape share their code, and one signature: the import stays quick.
    code = None if own.__defaults__ or own.__kwdefaults__ else own.__code__
    if code in _shown:
        return _shown[code]
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    has_keywords = parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    parameters.insert(len(parameters) - bool(has_keywords), _OUT)
    found = signature.replace(parameters=parameters)
    if code is not None:
        _shown[code] = found
    return found


_shown: dict[CodeType, inspect.Signature] = {}


def call_into(
    name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    """Call a function and write its results into the tensors given as `out=`.

    Args:
        name: of the function, for messages.
        function: of eager tensors.
        args: its positional arguments.
        kwargs: its keyword arguments, with `out`.

    Returns:
        What was given as `out=`; of a function of several results the same kind of tuple as
        without it, of the tensors that were given.

    Raises:
        GradientError: an operand or a target requires a gradient.
        DTypeError, ShapeError: a target cannot hold its result.
        ArgumentError: `out=` is no tensor, or not as many as there are results.
    """
    kwargs = dict(kwargs)
    out = kwargs.pop("out")
    if out is None:
        return function(*args, **kwargs)
    targets = list(out) if isinstance(out, list | tuple) else [out]
    _check_targets(name, targets, args, kwargs)
    if name in _IN_ITS_DTYPE and kwargs.get("dtype") is None:
        kwargs["dtype"] = targets[0].dtype
    result = function(*args, **kwargs)
    results = [result] if isinstance(result, Tensor) else list(result)
    if len(results) != len(targets) or isinstance(out, Tensor) != isinstance(result, Tensor):
        count = "one tensor" if isinstance(result, Tensor) else f"a tuple of {len(results)} tensors"
        raise ArgumentError(f"{name}: out= must be {count}", where=caller())
    for target, value in zip(targets, results):
        _check_dtype(name, target, value)
    for target, value in zip(targets, results):
        _write(name, target, value)
    if isinstance(out, Tensor):
        return out
    return type(result)(*targets) if hasattr(result, "_fields") else tuple(targets)


def _check_targets(
    name: str, targets: Sequence[Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> None:
    for target in targets:
        if not isinstance(target, Tensor):
            raise ArgumentError(
                f"{name}: out= must be a tensor (or, for several results, a tuple of them), not "
                f"{type(target).__name__}",
                where=caller(),
                hint="make one with gc.empty(...); symbolic graphs have no memory to write into",
            )
    for operand in _operands([*targets, *args, *kwargs.values()]):
        if not operand.is_eager:
            raise ArgumentError(
                f"{name}: out= in a symbolic graph: {operand!r} has no value yet that could be "
                "written",
                where=caller(),
                hint="leave out= away and use the result",
            )
        if operand.requires_grad and state.enabled:
            raise GradientError(
                f"{name}: with out= nothing is recorded for differentiation, but one of its "
                "tensors requires a gradient",
                [f"the tensor: {operand.type}"],
                where=caller(),
                hint="leave out= away, or call it inside `with gc.no_grad():`",
            )


def _operands(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, Operators):
            yield value
        elif isinstance(value, list | tuple):
            yield from _operands(value)


def _check_dtype(name: str, target: Tensor, value: Tensor) -> None:
    rank = {"bool": 0, "uint": 1, "int": 1, "float": 2}
    is_lossy = rank[value.dtype.kind] > rank[target.dtype.kind]
    if is_lossy or (name in _OF_BOOLS and target.dtype is not dtypes.bool_):
        raise DTypeError(
            f"{name}: a result of {value.dtype.name} cannot be written into out=, a tensor of "
            f"{target.dtype.name}",
            where=caller(),
            hint=f"give out= a tensor of {value.dtype.name}",
        )


def _write(name: str, target: Tensor, value: Tensor) -> None:
    is_traced = hot.slow > 0 and tracing.trace is not None
    if value.dtype is not target.dtype:
        wrapping = (("dtype", target.dtype), ("overflow", "wrap"))
        value = invoke(FUNCTIONS["cast"], (SLOT,), wrapping, [value])
    if is_traced:
        tracing.trace.agree(value, target)
    # The types' shapes: a traced size that is asked for as a number is a number ever after.
    if value.type.shape == target.type.shape:
        store(target, value)
    elif is_traced:
        _replace_traced(name, target, value)
    else:
        _resize(name, target, value)
        store(target, value)


def is_held(target: Tensor) -> bool:
    """Whether a tensor is a view of another, or others are views of it."""
    return target._view is not None or any(ref() is not None for ref in target._views or ())


def _resize(name: str, target: Tensor, value: Tensor) -> None:
    """Give a target the shape of its result, in the way of PyTorch: with a warning unless empty."""
    array, shape = target._array, tuple(value.shape)
    before = tuple(array.shape)
    if is_held(target) or not array.flags.owndata or not array.flags.c_contiguous:
        raise _unfit(name, before, shape)
    del array
    try:
        target._array.resize(shape)  # it refuses where anything else refers to the array
    except ValueError:
        raise _unfit(name, before, shape) from None
    if 0 not in before:
        warnings.warn(
            f"{name}: out= had shape {before} and was resized to {shape}; give it the right shape, "
            "or none of its elements (gc.empty(0)), to be resized without a word",
            GraphcWarning,
            stacklevel=5,
        )


def _unfit(name: str, before: tuple[Any, ...], shape: tuple[Any, ...]) -> ShapeError:
    return ShapeError(
        f"{name}: out= has shape {before}, the result {shape}",
        ["its memory is another tensor's or array's too, so it cannot be resized"],
        where=caller(),
        hint=f"give a tensor of shape {shape}, or a new empty one: gc.empty(0)",
    )


def _replace_traced(name: str, target: Tensor, value: Tensor) -> None:
    """A tensor that the traced code made, and nobody else sees, becomes its new value."""
    trace = tracing.trace
    if trace.is_born(target) and not is_held(target):
        trace.adopt(target, trace.node_of(value))
        target.version().count += 1
        return
    raise ShapeError(
        f"{name}: out= has shape {tuple(target.type.shape)}, the result "
        f"{tuple(value.type.shape)}; in a compiled function it is not resized",
        where=caller(),
        hint="give a tensor of the result's shape, or one that the function itself makes",
    )


__all__ = ["TAKES_OUT", "call_into", "signature_with_out", "with_out"]

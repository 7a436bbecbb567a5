"""How a tensor prints: PyTorch's text, character by character.

    tensor([[0.0000, 1.5000],
            [2.0000, 3.0000]], requires_grad=True)

Three steps: take the elements that will be shown (the corners of a large tensor), turn them into
texts of one width by the rules of `_texts`, and lay these out in rows of at most `linewidth`.
A tensor of any size prints at once, because the first step comes before the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphc.core.dtypes import is_float
from graphc.core.ir import caller
from graphc.errors import AttributeValueError


@dataclass(slots=True)
class PrintOptions:
    """The options of printing; `set_printoptions` explains each."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: float = 80
    sci_mode: bool | None = None


PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

# One for the whole process, as in PyTorch: what a program prints does not depend on the thread.
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print, for the whole process. What is left at None stays as it is.

    Args:
        precision: digits after the point (4 by default).
        threshold: a tensor of more elements than this shows its corners only (1000).
        edgeitems: how many elements of each end of an axis a corner has (3).
        linewidth: where rows break, in characters (80).
        profile: "default", "short" or "full": sets the four options above, which may still be
            given beside it.
        sci_mode: whether floats print as 1.0000e+00. None, given or not, lets the values decide.

    Raises:
        AttributeValueError: a value out of range, or an unknown profile.

    Example:
        >>> import graphc as gc
        >>> gc.set_printoptions(precision=2)
        >>> gc.tensor([1.12345])
        tensor([1.12])
        >>> gc.set_printoptions(profile="default")
        >>> gc.tensor([1.12345])
        tensor([1.1235])
    """
    _check("precision", precision, least=0)
    _check("threshold", threshold, least=0, whole=False)
    _check("edgeitems", edgeitems, least=0)
    _check("linewidth", linewidth, least=1, whole=False)
    if profile is not None and profile not in PROFILES:
        raise AttributeValueError(
            f"set_printoptions: no profile {profile!r}",
            where=caller(),
            hint="the profiles are 'default', 'short' and 'full'",
        )
    if sci_mode not in (None, True, False):
        raise AttributeValueError(
            f"set_printoptions: sci_mode={sci_mode!r} is not True, False or None", where=caller()
        )
    basis = _options if profile is None else PROFILES[profile]
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in given.items():
        setattr(_options, name, getattr(basis, name) if value is None else value)
    _options.sci_mode = sci_mode


def _check(name: str, value: Any, *, least: int, whole: bool = True) -> None:
    if value is None:
        return
    number = isinstance(value, int | np.integer | (int if whole else float | np.floating))
    if not number or isinstance(value, bool) or not value >= least:
        kind = "a whole number" if whole else "a number"
        raise AttributeValueError(
            f"set_printoptions: {name}={value!r} is not {kind} of at least {least}", where=caller()
        )


def get_printoptions() -> dict[str, Any]:
    """The options of printing, such as `set_printoptions(**options)` takes.

    Returns:
        precision, threshold, edgeitems, linewidth and sci_mode.

    Example:
        >>> import graphc as gc
        >>> gc.get_printoptions()["precision"]
        4
    """
    return asdict(_options)


class printoptions:
    """Set how tensors print inside a `with` block.

    Args:
        options: those of `set_printoptions`.

    Raises:
        AttributeValueError: a value out of range, or an unknown profile.

    Example:
        >>> import graphc as gc
        >>> with gc.printoptions(precision=1):
        ...     print(gc.tensor([0.25, 1.0]))
        tensor([0.2, 1.0])
    """

    def __init__(self, **options: Any) -> None:
        self._wanted = options
        self._before: list[dict[str, Any]] = []

    def __enter__(self) -> None:
        before = get_printoptions()
        set_printoptions(**self._wanted)
        self._before.append(before)

    def __exit__(self, *exception: object) -> None:
        set_printoptions(**self._before.pop())


def tensor_text(
    array: np.ndarray | None,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    class_name: str = "tensor",
    parameter: bool = False,
    default_dtype: Any = np.float32,
    shape: Sequence[object] = (),
    dtype: Any = np.float32,
    namespace: str = "torch",
) -> str:
    """The text of a tensor.

    Args:
        array: its elements; None when there are none to show, as in a tensor that is traced, which
            prints `...` for them.
        requires_grad: whether it says `requires_grad=True`.
        grad_fn: the name of the operation that made it, such as "AddBackward0", said instead.
        class_name: its class. "Tensor" prints `tensor(`, other classes print their names;
            "Parameter" prints `Parameter containing:` above a `tensor(`.
        parameter: whether the class is made from Parameter.
        default_dtype: the float dtype that goes without saying, beside int64 and bool.
        shape: where there is no array, the sizes of the axes.
        dtype: where there is no array, the dtype.
        namespace: the module that dtypes are said to be of, PyTorch's as all of the text is.

    Returns:
        One or several lines, without a newline at the end.

    Example:
        >>> import numpy as np
        >>> from graphc.eager.methods.printing import tensor_text
        >>> print(tensor_text(np.array([1.5, -2.0]), requires_grad=True))
        tensor([ 1.5000, -2.0000], dtype=torch.float64, requires_grad=True)
    """
    parameter = parameter or class_name == "Parameter"
    plain = class_name in ("tensor", "Tensor", "Parameter")
    prefix = "tensor(" if plain else f"{class_name}("
    if array is None:
        contents, suffixes = "...", [f"size={_shape_text(shape)}"]
        dtype = np.dtype(dtype)
        unsaid: tuple[np.dtype, ...] = (np.dtype(default_dtype),)
    else:
        dtype, unsaid = array.dtype, (np.dtype(default_dtype),)
        contents, suffixes = _contents(array, len(prefix)), []
        if array.size == 0:
            suffixes += [f"size={array.shape}"] if array.ndim != 1 else []
        else:
            suffixes += [f"size={array.shape}"] if not _options.edgeitems else []
            unsaid += (np.dtype(np.int64), np.dtype(np.bool_))
    if dtype not in unsaid:
        suffixes.append(f"dtype={namespace}.{dtype.name}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    text = _with_suffixes(prefix + contents, suffixes, len(prefix))
    if not parameter:
        return text
    return "Parameter containing:\n" + (text if plain else f"Parameter({text})")


def _shape_text(shape: Sequence[object]) -> str:
    inside = ", ".join(str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def _with_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    """The text, the suffixes after it on lines of at most `linewidth`, and `)`.

    The column is PyTorch's: the last line of the text counts as two characters longer.
    """
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _contents(array: np.ndarray, indent: int) -> str:
    """The elements in brackets, rows after the first indented by one more than `indent`."""
    if array.size == 0:
        return "[]"
    cut = [False] * array.ndim
    if array.size > _options.threshold and array.ndim > 0:
        if not _options.edgeitems:
            return "[...]"
        array, cut = _corners(array, _options.edgeitems)
    texts, width = _texts(array.reshape(-1))
    if array.ndim == 0:
        return texts[0]
    nested = np.array(texts, object).reshape(array.shape)
    return _layout(nested.tolist(), cut, indent, width)


def _corners(array: np.ndarray, edge: int) -> tuple[np.ndarray, list[bool]]:
    """The elements near the ends of every axis, and which axes were cut to these."""
    cut = [size > 2 * edge for size in array.shape]
    kept = [
        np.r_[:edge, size - edge : size] if is_cut else np.arange(size)
        for size, is_cut in zip(array.shape, cut)
    ]
    return array[np.ix_(*kept)], cut


def _layout(items: list[Any], cut: Sequence[bool], indent: int, width: int) -> str:
    """Nested lists of texts in brackets; `...` stands in the middle of an axis that was cut."""
    if len(cut) == 1:
        return _row(items, cut[0], indent, width)
    parts = [_layout(item, cut[1:], indent + 1, width) for item in items]
    if cut[0]:
        parts.insert(len(parts) // 2, "...")
    return "[" + ("," + "\n" * (len(cut) - 1) + " " * (indent + 1)).join(parts) + "]"


def _row(texts: list[str], cut: bool, indent: int, width: int) -> str:
    """One row in brackets, on as many lines as it needs."""
    if cut:
        middle = len(texts) // 2
        texts = [*texts[:middle], " ...", *texts[middle:]]
    fitting = min((_options.linewidth - indent) / (width + 2), len(texts))
    count = max(1, math.floor(fitting))
    lines = [", ".join(texts[k : k + count]) for k in range(0, len(texts), count)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _texts(values: np.ndarray) -> tuple[list[str], int]:
    """The elements as texts, and the width that these are padded to.

    The width of floats is that of the widest finite one that is not 0: other texts may be wider.
    """
    if not is_float(values.dtype):
        texts = [str(value) for value in values.tolist()]
        width = max(len(text) for text in texts)
        return [text.rjust(width) for text in texts], width
    ordinary = np.isfinite(values) & (values != 0)
    form, whole = _form(values[ordinary])
    texts = [format(value, form) for value in values.tolist()]
    if whole:
        texts = [text + "." if ok else text for text, ok in zip(texts, np.isfinite(values))]
    width = max((len(text) for text, ok in zip(texts, ordinary) if ok), default=1)
    return [text.rjust(width) for text in texts], width


def _form(values: np.ndarray) -> tuple[str, bool]:
    """The format of floats, decided by those that are finite and not 0.

    Scientific where they span more than three decades, or one is above 1e8 or below 1e-4; without
    digits where all are whole numbers, and then a point is to follow (the second result).
    """
    if values.size == 0:
        return ".0f", True
    sizes = np.abs(values)
    least, most = float(sizes.min()), float(sizes.max())
    scientific = _options.sci_mode
    if scientific is None:
        scientific = most / least > 1000.0 or most > 1.0e8 or least < 1.0e-4
    if scientific:
        return f".{_options.precision}e", False
    if (values == np.ceil(values)).all():
        return ".0f", True
    return f".{_options.precision}f", False

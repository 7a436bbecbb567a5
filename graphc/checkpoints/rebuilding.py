"""What the names in PyTorch's files make: tensors over storages, parameters, dtypes, arrays.

`NAMES` has every name that a file may hold. Its functions are this module's own, whatever PyTorch
has under the name; they check all that they are given, for a file may hold anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar

import numpy as np

from graphc.checkpoints.pickles import checked_key
from graphc.core.dtypes import ALL, DType
from graphc.eager.engine.device import device
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import AttributeValueError, FormatError
from graphc.nn.parameter import Buffer, Parameter

MAX_RANK = 64
_Given = TypeVar("_Given", bound=Tensor)


@dataclass(frozen=True, slots=True)
class StorageType:
    """A class of storages; None is that of plain bytes."""

    dtype: DType | None


@dataclass(slots=True)
class Storage:
    """Memory that tensors of a file share.

    Args:
        words: its bytes, as elements of the dtype where it has one.
        dtype: None for plain bytes.
        owner: a tensor of all of it, once one was asked for.
    """

    words: np.ndarray
    dtype: DType | None
    owner: Tensor | None = None

    def tensor(self, dtype: DType | None, offset: object, size: object, stride: object) -> Tensor:
        """A tensor over part of it, which knows of writes to the others.

        Raises:
            TypeError, ValueError: the part is not inside.
        """
        dtype = self.dtype or dtype
        if dtype is None or (dtype.kind == "bool" and self.dtype is None):
            raise TypeError("a tensor without a dtype")
        words = self.words if self.words.dtype == dtype.numpy else self.words.view(dtype.numpy)
        if not isinstance(offset, int) or not _are_counts((offset,)):
            raise TypeError("an offset that is no count")
        if not _are_counts(size) or not _are_counts(stride):
            raise TypeError("sizes and strides that are no counts")
        if len(size) != len(stride) or len(size) > MAX_RANK:
            raise ValueError("a shape and strides of different lengths")
        if math.prod(size) * dtype.itemsize >= 1 << 62:
            raise ValueError(f"a tensor of {math.prod(size)} elements")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride))
        if 0 in size:
            array = np.empty(size, dtype.numpy)
        elif last >= words.size:
            raise ValueError(f"a tensor that ends at {last} of a storage of {words.size}")
        else:
            steps = [s * dtype.itemsize if n > 1 else dtype.itemsize for n, s in zip(size, stride)]
            array = np.ndarray(size, dtype.numpy, words, offset * dtype.itemsize, steps)
        if self.owner is None:
            self.owner = wrap(self.words)
        found = wrap(array)
        found._version = self.owner.version()
        return found


def _are_counts(values: object) -> TypeGuard[tuple[int, ...]]:
    """Whether a tuple has sizes: whole, not negative, of 62 bits."""
    return isinstance(values, tuple) and all(type(v) is int and 0 <= v < 1 << 62 for v in values)


def _tensor(
    storage: object, offset: object, size: object, stride: object, requires_grad: object = False,
    hooks: object = None, metadata: object = None,
) -> Tensor:  # fmt: skip
    if not isinstance(storage, Storage):
        raise TypeError("a tensor without a storage")
    found = storage.tensor(None, offset, size, stride)
    return found.requires_grad_() if requires_grad is True else found


def _typed_tensor(
    storage: object, offset: object, size: object, stride: object, requires_grad: object,
    hooks: object, dtype: object, metadata: object = None,
) -> Tensor:  # fmt: skip
    if not isinstance(storage, Storage) or not isinstance(dtype, DType):
        raise TypeError("a tensor without a storage or a dtype")
    found = storage.tensor(dtype, offset, size, stride)
    return found.requires_grad_() if requires_grad is True else found


def _parameter(data: object, requires_grad: object = True, hooks: object = None) -> Parameter:
    if not isinstance(data, Tensor) or not isinstance(requires_grad, bool):
        raise TypeError("a parameter without a tensor")
    return Parameter(data, requires_grad)


def _parameter_with_state(
    data: object, requires_grad: object, hooks: object, state: object
) -> Parameter:
    return _with_attributes(_parameter(data, requires_grad), state)


def _of_type(
    rebuild: Callable[..., Tensor], kind: object, args: Iterable[object], state: object
) -> Tensor:
    """A tensor with attributes, or of a class of its own."""
    if rebuild not in (_tensor, _typed_tensor, _parameter) or kind not in (Tensor, Parameter):
        raise TypeError("a tensor of a class of its own")
    return _with_attributes(rebuild(*args), state)


def _with_attributes(tensor: _Given, state: object) -> _Given:
    """A tensor with the attributes that a program had set on it."""
    if state and not isinstance(state, dict):
        raise TypeError("a tensor with slots")
    attributes = state if isinstance(state, dict) else {}
    for name, value in attributes.items():
        if not isinstance(name, str) or name.startswith("_") or hasattr(type(tensor), name):
            raise TypeError(f"a tensor with the attribute {name!r:.40}")
        setattr(tensor, name, value)
    return tensor


def _refused(what: str) -> Any:
    def refuse(*args: object) -> Any:
        raise FormatError(f"it has {what}, which graphc does not have")

    return refuse


# --- what is no tensor


def _ordered(items: Iterable[tuple[object, object]] = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((checked_key(key), value) for key, value in items)


def _counter(items: object = None) -> Counter[Any]:
    if not isinstance(items, dict):
        raise TypeError("a Counter of what is no dict")
    return Counter(items)


def _set(values: Iterable[object] = ()) -> set[Any]:
    return set(map(checked_key, values))


def _complex(real: float, imag: float) -> complex:
    return complex(float(real), float(imag))


def _encoded(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        raise TypeError("bytes of what is no text")
    return text.encode(encoding)


def _bytearray(content: object = b"", encoding: object = None) -> bytearray:
    # A number would ask for so many bytes.
    return bytearray(content if isinstance(content, bytes) else _encoded(content, encoding))


def _size(values: Iterable[int] = ()) -> Size:
    if not _are_counts(tuple(values)):
        raise TypeError("a size that is no count")
    return Size(values)


def _device(kind: str, index: object = None) -> device:
    if index is not None and type(index) is not int:
        raise TypeError("a device's index that is no number")
    try:
        return device(kind, index)
    except AttributeValueError:
        raise FormatError(f"it has the device {kind!r:.40}, which graphc does not have") from None


# --- NumPy's


_CODE = re.compile(r"[<|=>]?(b1|[iu][1248]|f[248])\Z")


class _ArrayType:
    """NumPy's dtype while it is read: what fills it comes behind."""

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or not _CODE.match(code):
            raise FormatError(f"it has an array of {code!r:.40}")
        self.numpy = np.dtype(code)


def _array_type(code: object, align: object = False, copy: object = True) -> _ArrayType:
    return _ArrayType(code)


def _numpy_scalar(kind: object, data: object) -> Any:
    if not isinstance(kind, _ArrayType) or not isinstance(data, bytes):
        raise TypeError("a number without a dtype")
    (found,) = np.frombuffer(data, kind.numpy)
    return found.astype(kind.numpy.newbyteorder("="))


def _numpy_array(kind: object, shape: object, code: object) -> np.ndarray:
    if kind is not np.ndarray:
        raise TypeError("an array of a class of its own")
    return np.empty(0, np.uint8)


# --- what is filled after it was made


def fill(target: object, state: object) -> None:
    """Give an array its elements, a dtype its byte order, a module's state its versions.

    Raises:
        TypeError, ValueError: it is none of these, or of another form.
    """
    if isinstance(target, OrderedDict):
        if not isinstance(state, dict) or set(state) - {"_metadata"}:
            raise TypeError("an OrderedDict with attributes")
        vars(target).update(state)
    elif isinstance(target, _ArrayType):
        if not isinstance(state, tuple) or len(state) < 3 or state[2] is not None:
            raise TypeError("an array of structures")
        if state[1] in ("<", ">"):
            target.numpy = target.numpy.newbyteorder(state[1])
    elif type(target) is np.ndarray and isinstance(state, tuple) and len(state) == 5:
        _fill_array(target, *state)
    else:
        raise TypeError("attributes of what has none")


def _fill_array(
    target: np.ndarray, version: object, shape: object, kind: object, fortran: object, data: object
) -> None:
    if not _are_counts(shape) or not isinstance(kind, _ArrayType) or not isinstance(data, bytes):
        raise TypeError("an array without shape, dtype and bytes")
    if math.prod(shape) * kind.numpy.itemsize != len(data) or len(shape) > MAX_RANK:
        raise ValueError(f"an array of shape {shape} with {len(data)} bytes")
    set_state: Any = target.__setstate__
    set_state((1, shape, kind.numpy, bool(fortran), data))


def _names() -> dict[str, Any]:
    found: dict[str, Any] = {
        "collections.OrderedDict": _ordered, "collections.Counter": _counter,
        "builtins.set": _set, "builtins.complex": _complex, "builtins.bytearray": _bytearray,
        "_codecs.encode": _encoded, "torch.Size": _size, "torch.device": _device,
        "torch.Tensor": Tensor, "torch.nn.parameter.Parameter": Parameter,
        "torch.nn.parameter.Buffer": Buffer, "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor_v3": _typed_tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter_with_state,
        "torch._tensor._rebuild_from_type_v2": _of_type,
        "torch.storage.UntypedStorage": StorageType(None), "numpy.ndarray": np.ndarray,
        "numpy.dtype": _array_type,
    }  # fmt: skip
    for name, what in {
        "sparse_tensor": "a sparse tensor", "qtensor": "a quantized tensor",
        "nested_tensor": "a nested tensor", "wrapper_subclass": "a tensor of a class of its own",
        "meta_tensor_no_storage": "a tensor of the device meta, without elements",
    }.items():  # fmt: skip
        found[f"torch._utils._rebuild_{name}"] = _refused(what)
    found["torch.serialization._get_layout"] = _refused("a sparse tensor")
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray.scalar"] = _numpy_scalar
        found[f"{core}.multiarray._reconstruct"] = _numpy_array
    for dtype in ALL:
        found[f"torch.{dtype.name}"] = dtype
        for place in ("torch", "torch.cuda"):
            found[f"{place}.{dtype.title}Storage"] = StorageType(dtype)
    return found


NAMES = _names()

__all__ = ["NAMES", "Storage", "StorageType", "fill"]

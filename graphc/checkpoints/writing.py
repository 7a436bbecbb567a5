"""`pieces_of`: values as the zip file that `torch.load` reads, piece by piece.

The pickle in it has the opcodes of protocol 2 and the names that `rebuilding` knows. Tensors that
share memory share a storage; a tensor whose elements lie apart by itself is written in order.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphc.core.dtypes import DType, as_dtype
from graphc.core.ir import caller
from graphc.eager.engine.device import device
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, DTypeError
from graphc.jit.archive.archive_zip import pieces
from graphc.nn.parameter import Parameter

MAX_DEPTH = 100
ROOT = "archive/"
# Where PyTorch lets storages begin, so that they can be mapped.
ALIGNMENT = 64
_ATOMS = (bool, int, float, str, complex, type(None))


def pieces_of(value: object) -> Iterator[Any]:
    """The bytes of a file.

    Args:
        value: containers of tensors, arrays, numbers and text, nested in any way.

    Raises:
        ArgumentError: something in it is of another type.
    """
    pickler = _Pickler(_Storages(_tensors(value)))
    pickler.write(value, "")
    members: dict[str, list[Any]] = {f"{ROOT}data.pkl": [b"\x80\x02", *pickler.found, b"."]}
    members[f"{ROOT}byteorder"] = [b"little"]
    for number, words in enumerate(pickler.storages.found):
        little = words.astype(words.dtype.newbyteorder("<"), copy=False)
        members[f"{ROOT}data/{number}"] = [little.view(np.uint8).data]
    members[f"{ROOT}version"] = [b"3\n"]
    return pieces(members, ALIGNMENT)


def _tensors(value: object) -> list[Tensor]:
    """The tensors among values, each once."""
    found: dict[int, Tensor] = {}
    seen: set[int] = set()
    rest: list[object] = [value]
    while rest:
        value = rest.pop()
        if id(value) in seen:
            continue
        if isinstance(value, Tensor):
            found.setdefault(id(value), value)
        elif isinstance(value, Mapping):
            seen.add(id(value))
            rest += value.values()
        elif isinstance(value, list | tuple):
            seen.add(id(value))
            rest += value
    return list(found.values())


class _Storages:
    """Where the elements of tensors lie: in `found`, vectors of words.

    Args:
        tensors: all of a file.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        self.found: list[np.ndarray] = []
        self._places: dict[int, tuple[int, int, tuple[int, ...], np.ndarray]] = {}
        spans = sorted(
            ((*_span(t._array), t) for t in tensors if t._node is None and t._array.size),
            key=lambda span: span[:2],
        )
        together: list[tuple[int, int, Tensor]] = []
        for span in spans:
            if together and span[0] >= max(end for _, end, _ in together):
                self._enter(together)
                together = []
            together.append(span)
        self._enter(together)

    def of(self, tensor: Tensor) -> tuple[int, int, tuple[int, ...], np.ndarray]:
        """A tensor's storage, its offset and strides there, and its array."""
        if id(tensor) not in self._places:  # of no elements
            self._alone(tensor)
        return self._places[id(tensor)]

    def _enter(self, together: list[tuple[int, int, Tensor]]) -> None:
        """Give tensors whose memory overlaps one storage, where their arrays allow it."""
        arrays = [t._array for _, _, t in together]
        alike = all(
            a.dtype == arrays[0].dtype and all(s >= 0 and s % a.itemsize == 0 for s in a.strides)
            for a in arrays
        )
        if len(together) < 2 or not alike:
            for _, _, tensor in together:
                self._alone(tensor)
            return
        low, high = together[0][0], max(end for _, end, _ in together)
        step = arrays[0].itemsize
        # The first begins where all begin, and each of the others before the end of one before.
        words = np.lib.stride_tricks.as_strided(arrays[0], ((high - low) // step,), (step,))
        self.found.append(np.ascontiguousarray(words))
        for begin, _, tensor in together:
            strides = tuple(s // step for s in tensor._array.strides)
            place = (len(self.found) - 1, (begin - low) // step, strides, tensor._array)
            self._places[id(tensor)] = place

    def _alone(self, tensor: Tensor) -> None:
        array = np.ascontiguousarray(tensor._array).reshape(tensor._array.shape)
        self.found.append(array.reshape(-1))
        strides = tuple(s // array.itemsize for s in array.strides)
        self._places[id(tensor)] = (len(self.found) - 1, 0, strides, array)


def _span(array: np.ndarray) -> tuple[int, int]:
    """The addresses where an array's memory begins and ends."""
    return np.lib.array_utils.byte_bounds(array)


class _Pickler:
    """A value as opcodes; `found` has them in pieces."""

    def __init__(self, storages: _Storages) -> None:
        self.storages = storages
        self.found: list[bytes] = []
        self._memo: dict[int, int] = {}
        self._kept: list[Any] = []

    def write(self, value: object, path: str, depth: int = 0) -> None:
        """Write a value; `path` says where it is."""
        if depth > MAX_DEPTH:
            raise ArgumentError(
                f"save: containers are nested more than {MAX_DEPTH} deep", where=caller()
            )
        if id(value) in self._memo:
            self.found.append(b"j" + struct.pack("<I", self._memo[id(value)]))
        elif isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(value, path)
        elif isinstance(value, DType):
            self._name("torch", value.name)
        elif isinstance(value, device):
            self._called("torch", "device", str(value))
        elif isinstance(value, Mapping | list | tuple):
            self._container(value, path, depth)
        elif isinstance(value, bytes | bytearray | set):
            self._other(value)
        elif isinstance(value, _ATOMS):
            self._atom(value)
        else:
            raise ArgumentError(
                f"save: {path or 'the object'} is a {type(value).__name__}, which a file of "
                "tensors cannot hold",
                where=caller(),
                hint="it holds dicts, lists, tuples, tensors, arrays, numbers, text and None; "
                "save a module's or an optimizer's state_dict()",
            )

    def _atom(self, value: object) -> None:
        """A number, text or None, as Python's own pickler writes it."""
        if isinstance(value, complex):
            self._called("__builtin__", "complex", value.real, value.imag)
            return
        kinds = (bool, int, float, str)
        value = next((kind(value) for kind in kinds if isinstance(value, kind)), None)
        text = pickle.dumps(value, 2)[2:-1]
        if isinstance(value, str):  # without the place in the memo that it would get
            data = value.encode("utf-8", "surrogatepass")
            text = b"X" + struct.pack("<I", len(data)) + data
        self.found.append(text)

    def _keep(self, value: object) -> None:
        self._memo[id(value)] = len(self._memo)
        self._kept.append(value)
        self.found.append(b"r" + struct.pack("<I", self._memo[id(value)]))

    def _name(self, module: str, name: str) -> None:
        self.found.append(f"c{module}\n{name}\n".encode())

    def _called(self, module: str, name: str, *args: object) -> None:
        """A function of a module, called with atoms."""
        self._name(module, name)
        self._tuple(args)
        self.found.append(b"R")

    def _tuple(self, values: Iterable[object]) -> None:
        self.found.append(b"(")
        for value in values:
            self.write(value, "")
        self.found.append(b"t")

    def _container(
        self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], path: str, depth: int
    ) -> None:
        if isinstance(value, Mapping):
            self._mapping(value, path, depth)
            return
        if type(value) not in (list, tuple, Size):
            raise ArgumentError(
                f"save: {path or 'the object'} is a {type(value).__name__}, which a file of "
                "tensors cannot hold",
                where=caller(),
                hint="convert it to a list or a tuple",
            )
        if isinstance(value, Size):
            self._called("torch", "Size", tuple(value))
            return
        if isinstance(value, list):
            self.found.append(b"]")
            self._keep(value)
        self.found.append(b"(")
        for place, part in enumerate(value):
            self.write(part, f"{path}.{place}" if path else str(place), depth + 1)
        self.found.append(b"e" if isinstance(value, list) else b"t")
        if isinstance(value, tuple):
            self._keep(value)

    def _mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> None:
        if isinstance(value, OrderedDict):
            self._called("collections", "OrderedDict")
        else:
            self.found.append(b"}")
        self._keep(value)
        self.found.append(b"(")
        for key, part in value.items():
            if not isinstance(key, (*_ATOMS, tuple)):
                raise ArgumentError(
                    f"save: the key {key!r:.60} in {path or 'the dict'} is a {type(key).__name__}",
                    where=caller(),
                    hint="keys are text and numbers",
                )
            self.write(key, "", depth + 1)
            self.write(part, f"{path}.{key}" if path else str(key), depth + 1)
        self.found.append(b"u")
        if isinstance(value, OrderedDict) and "_metadata" in vars(value):
            self.write({"_metadata": value._metadata}, path, depth + 1)  # type: ignore[attr-defined]
            self.found.append(b"b")

    def _other(self, value: bytes | bytearray | set[Any]) -> None:
        """Bytes and sets, in the forms that Python's older pickles have."""
        if isinstance(value, set):
            self._name("__builtin__", "set")
            self.found += [b"(]("]
            for part in value:
                self.write(part, "")
            self.found += [b"etR"]
            return
        if isinstance(value, bytearray):
            self._called("__builtin__", "bytearray", bytes(value))
            return
        self._called("_codecs", "encode", value.decode("latin1"), "latin1")

    def _tensor(self, tensor: Tensor) -> None:
        if tensor._node is not None:
            raise ArgumentError("save: a traced tensor has no value yet", where=caller())
        is_parameter = isinstance(tensor, Parameter)
        if is_parameter:
            self._name("torch._utils", "_rebuild_parameter")
            self.found.append(b"(")
        # PyTorch has no class of storages for the unsigned integers that it got late.
        plain = tensor.dtype.kind == "uint" and tensor.dtype.itemsize > 1
        self._name("torch._utils", f"_rebuild_tensor_v{3 if plain else 2}")
        number, offset, strides, array = self.storages.of(tensor)
        self.found.append(b"((")
        self._atom("storage")
        if plain:
            self._name("torch.storage", "UntypedStorage")
        else:
            self._name("torch", f"{tensor.dtype.title}Storage")
        words = self.storages.found[number]
        for atom in (str(number), "cpu", words.nbytes if plain else words.size):
            self._atom(atom)
        self.found.append(b"tQ")
        self._atom(offset)
        self._tuple(array.shape)
        self._tuple(strides)
        self._atom(tensor.requires_grad and tensor.is_leaf and not is_parameter)
        self._called("collections", "OrderedDict")
        if plain:
            self._name("torch", tensor.dtype.name)
        self.found.append(b"tR")
        if is_parameter:
            self._atom(tensor.requires_grad)
            self._called("collections", "OrderedDict")
            self.found.append(b"tR")
        self._keep(tensor)

    def _array(self, value: np.ndarray | np.generic, path: str) -> None:
        """An array or a number of NumPy's, by NumPy's own names."""
        try:
            as_dtype(value.dtype)
        except DTypeError:
            raise ArgumentError(
                f"save: {path or 'the array'} is an array of {value.dtype}", where=caller()
            ) from None
        data = value.astype(value.dtype.newbyteorder("<")).tobytes()
        if isinstance(value, np.generic):
            self._name("numpy._core.multiarray", "scalar")
            self.found.append(b"(")
            self._array_type(value.dtype)
            self.write(data, "")
            self.found.append(b"tR")
            return
        self._name("numpy._core.multiarray", "_reconstruct")
        self.found.append(b"(")
        self._name("numpy", "ndarray")
        self._tuple((0,))
        self.write(b"b", "")
        self.found.append(b"tR")
        self._keep(value)
        self.found.append(b"(")
        self._atom(1)
        self._tuple(value.shape)
        self._array_type(value.dtype)
        self._atom(False)
        self.write(data, "")
        self.found.append(b"tb")

    def _array_type(self, dtype: np.dtype) -> None:
        self._called("numpy", "dtype", dtype.str[1:], False, True)
        if dtype.itemsize > 1:
            self._tuple((3, "<", None, None, None, -1, -1, 0))
            self.found.append(b"b")


__all__ = ["pieces_of"]

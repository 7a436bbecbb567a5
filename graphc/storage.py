"""`save` and `load`: tensors, and structures that hold them, in files.

    gc.save(model.state_dict(), "model.safetensors")
    model.load_state_dict(gc.load("model.safetensors"))
    gc.save(model.state_dict(), "model.pt")          # as torch.save writes it

Tensors lie in the file under dotted names, as every safetensors library reads them; how they stand
in dicts and lists, and the numbers and texts beside them, is JSON in the file's metadata. Nothing
in a file is ever run.

Not here: the format (`files`), PyTorch's (`checkpoints`), compiled programs (`jit.archive`).
"""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from os import PathLike
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.core.dtypes import DType
from graphc.core.files import chunks, label, open_file, read_arrays, read_header, write_file
from graphc.core.ir import caller
from graphc.eager.engine.device import check_device, device
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, DTypeError, FormatError, GraphcError

# Nested containers deeper than this are refused.
MAX_DEPTH = 100
STRUCTURE = "graphc.structure"
# A path that ends so is of a file that PyTorch reads.
PYTORCHS = (".pt", ".pth", ".pt.tar", ".pth.tar")


def save(obj: object, path: Any) -> None:
    """Write tensors, and the dicts and lists that hold them, to a safetensors file, or PyTorch's.

    The file appears whole or not at all; one that was there before is replaced. A dict of tensors
    by name, such as a module's `state_dict()`, is read by every safetensors library too. Where the
    path ends in `.pt` or `.pth`, the file is one that `torch.load` reads.

    Args:
        obj: dicts, lists and tuples of tensors, arrays, numbers, text and None, nested in any way.
            A tensor that stands in several places is one tensor again when it is loaded; tensors
            that only share memory are written apart, but in PyTorch's form.
        path: where, by custom ending in `.safetensors`.

    Raises:
        ArgumentError: something in it is of another type.
        MissingFileError, StorageError: there is no such folder, the disk is full, ...

    Example:
        >>> import graphc as gc, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "state.safetensors")
        >>> gc.save({"weights": [gc.ones(2)], "epoch": 3}, path)
        >>> gc.load(path)
        {'weights': [tensor([1., 1.])], 'epoch': 3}
    """
    if isinstance(path, str | PathLike) and str(path).endswith(PYTORCHS):
        write_file(path, import_module("graphc.checkpoints.writing").pieces_of(obj), "save")
        return
    packer = _Packer()
    structure = packer.pack(obj, "")
    metadata = {STRUCTURE: json.dumps(structure, separators=(",", ":"))}
    write_file(path, chunks(packer.arrays, metadata), "save")


def load(path: Any, map_location: Any = None, weights_only: bool = True) -> Any:
    """Read what `save` or `torch.save` wrote, or any safetensors file.

    Args:
        path: the file, or a file object open for reading bytes. A safetensors file of another
            library gives a flat dict of tensors by name, one of `torch.save` what was saved:
            nothing in it is run, and what is no tensor, container, number or text is an error.
        map_location: where the tensors are to be, the CPU: a device, or a dict of devices by the
            device that a tensor was saved on. A function is not called; tensors that were saved on
            another device arrive on the CPU.
        weights_only: always so; taken as PyTorch's `load` takes it.

    Returns:
        What was saved, its tensors new ones.

    Raises:
        MissingFileError, StorageError: the file is not there or cannot be read.
        FormatError: it is cut short, damaged, or of another format.

    Example:
        >>> import graphc as gc, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> gc.save(gc.nn.Linear(3, 2).state_dict(), path)
        >>> {name: tuple(t.shape) for name, t in gc.load(path).items()}
        {'weight': (2, 3), 'bias': (2,)}
    """
    if not isinstance(map_location, dict) and not callable(map_location):
        check_device(map_location)
    if not weights_only:
        raise ArgumentError(
            "load: weights_only=False asks for Python objects, which a file makes by running code "
            "of its own; graphc runs none",
            where=caller(),
            hint="leave it out; save the state_dict() of models and optimizers",
        )
    with open_file(path, "load") as file:
        what, nbytes = label(path), file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(9)
        file.seek(0)
        # A safetensors header of that length has a brace there.
        if start[:4] == b"PK\3\4" or (start[:1] == b"\x80" and start[8:] != b"{"):
            return _of_pytorch(file, map_location, what)
        entries, metadata = read_header(file, nbytes, what)
        arrays = read_arrays(file, entries, what)
    if STRUCTURE not in metadata:
        return {name: wrap(array) for name, array in arrays.items()}
    try:
        structure = json.loads(metadata[STRUCTURE])
    except (ValueError, RecursionError):
        raise FormatError(f"{what}: its structure is no JSON", where=caller()) from None
    return _Unpacker(arrays, what).unpack(structure)


def _of_pytorch(file: object, map_location: object, what: str) -> Any:
    try:
        return import_module("graphc.checkpoints.reading").read(file, map_location)
    except FormatError as error:
        raise FormatError(f"{what}: {error.what}", where=caller(), hint=error.hint) from None


class _Packer:
    """A nested structure as JSON, its tensors taken out by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []

    def pack(self, value: Any, path: str, depth: int = 0) -> Any:
        """A value as JSON; `path` names its tensors."""
        if depth > MAX_DEPTH:
            raise ArgumentError(
                f"save: containers are nested more than {MAX_DEPTH} deep", where=caller()
            )
        if value is None or isinstance(value, bool | str):
            return value if not isinstance(value, str) else str(value)
        if isinstance(value, int) and not isinstance(value, np.generic):
            return int(value)
        if isinstance(value, float) and not isinstance(value, np.generic):
            return float(value) if math.isfinite(value) else ["float", repr(float(value))]
        if isinstance(value, Tensor):
            return self._tensor(value, path, depth)
        if isinstance(value, np.ndarray | np.generic):
            return [
                "array" if isinstance(value, np.ndarray) else "number",
                self._array(value, path),
            ]
        if isinstance(value, DType):
            return ["dtype", value.name]
        if isinstance(value, device):
            return ["device", str(value)]
        if isinstance(value, Mapping):
            kind = "ordered" if isinstance(value, OrderedDict) else "dict"
            return [kind, [self._item(k, v, path, depth) for k, v in value.items()]]
        if type(value) in (list, tuple, Size):
            kind = {list: "list", tuple: "tuple", Size: "size"}[type(value)]  # type: ignore[index]
            parts = [self.pack(v, _joined(path, k), depth + 1) for k, v in enumerate(value)]
            return [kind, parts]
        raise ArgumentError(
            f"save: {path or 'the object'} is a {type(value).__name__}, which a file of tensors "
            "cannot hold",
            where=caller(),
            hint="it holds dicts, lists, tuples, tensors, arrays, numbers, text and None; "
            "save a module's or an optimizer's state_dict()",
        )

    def _item(self, key: object, value: object, path: str, depth: int) -> Any:
        if not (key is None or isinstance(key, str | int | float | tuple)):
            raise ArgumentError(
                f"save: the key {key!r:.60} in {path or 'the dict'} is a {type(key).__name__}",
                where=caller(),
                hint="keys are text and numbers",
            )
        return [self.pack(key, "", depth + 1), self.pack(value, _joined(path, key), depth + 1)]

    def _tensor(self, tensor: Tensor, path: str, depth: int) -> Any:
        if tensor._node is not None:
            raise ArgumentError("save: a traced tensor has no value yet", where=caller())
        known = self._names.get(id(tensor))
        if known is None or depth == 1:
            # In a flat dict every name has its bytes: other libraries look for all of them.
            name = self._array(tensor._array, path)
            known = self._names.setdefault(id(tensor), name)
            self._kept.append(tensor)
        return ["leaf" if tensor.requires_grad and tensor.is_leaf else "tensor", known]

    def _array(self, value: object, path: str) -> str:
        array = np.asarray(value)
        try:
            dtypes.as_dtype(array.dtype)
        except DTypeError:
            raise ArgumentError(
                f"save: {path or 'the array'} is an array of {array.dtype}", where=caller()
            ) from None
        name, count = path or "tensor", 1
        while name in self.arrays or name == "__metadata__":
            count += 1
            name = f"{path}#{count}"
        self.arrays[name] = array
        return name


def _joined(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


class _Unpacker:
    """The structure that JSON describes, its tensors put back."""

    def __init__(self, arrays: Mapping[str, np.ndarray], what: str) -> None:
        self.arrays, self.what = arrays, what
        self.tensors: dict[str, Tensor] = {}

    def unpack(self, value: object, depth: int = 0) -> Any:
        """The value that JSON describes."""
        if depth > MAX_DEPTH + 1:
            raise FormatError(f"{self.what}: its structure is nested too deep")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
            raise self._fault(value)
        kind, content = value
        if kind in ("dict", "ordered", "list", "tuple", "size"):
            if not isinstance(content, list):
                raise self._fault(value)
            return self._container(kind, content, depth)
        if not isinstance(content, str):
            raise self._fault(value)
        try:
            return self._leaf(kind, content)
        except (KeyError, ValueError, GraphcError):
            raise self._fault(value) from None

    def _container(self, kind: str, content: list[Any], depth: int) -> Any:
        if kind in ("list", "tuple", "size"):
            make = {"list": list, "tuple": tuple, "size": Size}[kind]
            return make(self.unpack(v, depth + 1) for v in content)
        made: dict[Any, Any] = OrderedDict() if kind == "ordered" else {}
        for item in content:
            if not isinstance(item, list) or len(item) != 2:
                raise self._fault(item)
            key = self.unpack(item[0], depth + 1)
            try:
                made[key] = self.unpack(item[1], depth + 1)
            except TypeError:
                raise self._fault(item) from None
        return made

    def _leaf(self, kind: str, content: str) -> Any:
        if kind in ("tensor", "leaf"):
            if content not in self.tensors:
                self.tensors[content] = wrap(self.arrays[content])
                if kind == "leaf":
                    self.tensors[content].requires_grad_()
            return self.tensors[content]
        if kind in ("array", "number"):
            array = self.arrays[content]
            return array if kind == "array" else array.reshape(-1)[0]
        if kind == "float":
            return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]
        return {"dtype": dtypes.as_dtype, "device": device}[kind](content)  # type: ignore[operator]

    def _fault(self, value: object) -> FormatError:
        return FormatError(
            f"{self.what}: its structure has {value!r:.80}, which is not well formed"
        )

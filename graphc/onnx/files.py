"""ONNX files and what they hold: models parsed, tensors as arrays, external data by safe paths.

Nothing here trusts a size, a name or a path that a file gives.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, TensorProto

from graphc.core.origin import caller
from graphc.errors import ArgumentError, FormatError, MissingFileError

# Protobuf itself allows no more; what is larger keeps its tensors in other files.
MOST_BYTES = 2**31

T = TensorProto
DTYPES: dict[int, np.dtype] = {
    T.FLOAT: np.dtype("float32"), T.UINT8: np.dtype("uint8"), T.INT8: np.dtype("int8"),
    T.UINT16: np.dtype("uint16"), T.INT16: np.dtype("int16"), T.INT32: np.dtype("int32"),
    T.INT64: np.dtype("int64"), T.BOOL: np.dtype("bool"), T.FLOAT16: np.dtype("float16"),
    T.DOUBLE: np.dtype("float64"), T.UINT32: np.dtype("uint32"), T.UINT64: np.dtype("uint64"),
    T.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
}  # fmt: skip

# What graphc only stores: the dtype of arrays, and the one that holds it (the codes of floats, the
# numbers of integers).
ODD: dict[int, tuple[np.dtype, np.dtype]] = {
    getattr(T, name): (np.dtype(getattr(ml_dtypes, dtype)), np.dtype(held))
    for name, dtype, held in (
        ("FLOAT8E4M3FN", "float8_e4m3fn", "uint8"),
        ("FLOAT8E4M3FNUZ", "float8_e4m3fnuz", "uint8"),
        ("FLOAT8E5M2", "float8_e5m2", "uint8"),
        ("FLOAT8E5M2FNUZ", "float8_e5m2fnuz", "uint8"),
        ("FLOAT8E8M0", "float8_e8m0fnu", "uint8"),
        ("FLOAT4E2M1", "float4_e2m1fn", "uint8"),
        ("UINT4", "uint4", "uint8"), ("INT4", "int4", "int8"),
        ("UINT2", "uint2", "uint8"), ("INT2", "int2", "int8"),
    )
    if hasattr(T, name) and hasattr(ml_dtypes, dtype)
}  # fmt: skip
IS_CODE = {elem for elem, (dtype, _) in ODD.items() if dtype.name.startswith("float")}
PER_BYTE: dict[int, int] = {
    elem: 4 if dtype.name.endswith("int2") else 2
    for elem, (dtype, _) in ODD.items()
    if dtype.name.endswith(("int2", "int4", "float4_e2m1fn"))
}


def elem_name(elem: int) -> str:
    """ONNX's name of an element type."""
    try:
        return T.DataType.Name(elem)
    except ValueError:
        return f"element type {elem}"


def held(array: np.ndarray, elem: int) -> np.ndarray:
    """An array of an odd element type as graphc holds it."""
    if elem not in ODD:
        return array
    dtype, store = ODD[elem]
    if array.dtype == store:
        return array
    array = np.asarray(array).astype(dtype, copy=False)
    return array.view(store) if elem in IS_CODE else array.astype(store)


def given_back(array: np.ndarray, elem: int) -> np.ndarray:
    """What `held` made, in its own dtype."""
    if elem not in ODD:
        return array
    dtype, store = ODD[elem]
    return np.asarray(array, store).view(dtype) if elem in IS_CODE else array.astype(dtype)


def parse(source: Any) -> tuple[ModelProto, Path | None, str]:
    """A model, the folder of its external data, and what messages call it.

    Raises:
        MissingFileError, FormatError: there is no file, or it is no model.
        ArgumentError: the source is of another kind.
    """
    if isinstance(source, ModelProto):
        return source, None, "the model"
    if isinstance(source, bytes | bytearray | memoryview):
        return _parsed(bytes(source), "the bytes"), None, "the bytes"
    if not isinstance(source, str | os.PathLike):
        raise ArgumentError(
            f"onnx: a {type(source).__name__} is no model",
            where=caller(),
            hint="give a path, the bytes of a file, or a ModelProto",
        )
    path = Path(source)
    if not path.is_file():
        raise MissingFileError(f"onnx: there is no file {path}", where=caller())
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(f"{path}: over 2 GB; such a model keeps its tensors in other files")
    return _parsed(path.read_bytes(), str(path)), path.parent, str(path)


def _parsed(data: bytes, label: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FormatError(f"{label}: no ONNX model: {error}", where=caller()) from None
    if not model.HasField("graph"):
        raise FormatError(f"{label}: no ONNX model: it has no graph", where=caller())
    return model


def array_of(tensor: TensorProto, folder: Path | None) -> np.ndarray:
    """The array of a tensor; of an odd element type, as graphc holds it. Strings are objects.

    Raises:
        FormatError: its sizes and its data contradict each other, or its file is elsewhere.
    """
    shape = tuple(tensor.dims)
    what = f"tensor {tensor.name!r}"
    if any(size < 0 for size in shape):
        raise FormatError(f"{what}: a size of {list(shape)} is negative")
    elem, count = tensor.data_type, math.prod(shape)
    if elem == T.STRING:
        if len(tensor.string_data) != count:
            raise FormatError(f"{what}: {len(tensor.string_data)} strings for {list(shape)}")
        texts = [text.decode("utf-8", "replace") for text in tensor.string_data]
        return np.array(texts, object).reshape(shape)
    if elem not in DTYPES and elem not in ODD:
        raise FormatError(f"{what}: graphc has no {elem_name(elem)}")
    dtype = DTYPES[elem] if elem in DTYPES else ODD[elem][0]
    per_byte = PER_BYTE.get(elem, 1)
    nbytes = -(-count // per_byte) * (dtype.itemsize if elem in DTYPES else 1)
    if tensor.data_location == T.EXTERNAL:
        raw: bytes | None = external(tensor, folder, nbytes)
    else:
        raw = tensor.raw_data if tensor.HasField("raw_data") else None
    if raw is None:
        return _of_fields(tensor, elem, count, what).reshape(shape)
    if len(raw) != nbytes:
        raise FormatError(f"{what}: {len(raw)} bytes for {elem_name(elem)}{list(shape)}, {nbytes}")
    if elem in PER_BYTE:
        return _unpacked(np.frombuffer(raw, np.uint8), elem, count).reshape(shape)
    is_numpys = dtype.isbuiltin == 1
    found = np.frombuffer(raw, dtype.newbyteorder("<") if is_numpys else dtype)
    return held(found.astype(dtype), elem).reshape(shape)


def _unpacked(data: np.ndarray, elem: int, count: int) -> np.ndarray:
    """Numbers of 2 or 4 bits, several in a byte, the first in the lowest bits."""
    per_byte = PER_BYTE[elem]
    bits = 8 // per_byte
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    codes = ((data[:, None] >> shifts) & (2**bits - 1)).reshape(-1)[:count]
    if ODD[elem][1] == np.int8:
        return ((codes.astype(np.int16) ^ 2 ** (bits - 1)) - 2 ** (bits - 1)).astype(np.int8)
    return codes.astype(np.uint8)


_FIELDS: dict[int, str] = {
    T.FLOAT: "float_data", T.DOUBLE: "double_data", T.INT64: "int64_data",
    T.UINT32: "uint64_data", T.UINT64: "uint64_data",
}  # fmt: skip


def _of_fields(tensor: TensorProto, elem: int, count: int, what: str) -> np.ndarray:
    """The array of a tensor whose numbers stand in a field of their own type."""
    data = getattr(tensor, _FIELDS.get(elem, "int32_data"))
    stored = -(-count // PER_BYTE.get(elem, 1))
    if len(data) != stored:
        raise FormatError(
            f"{what}: {len(data)} numbers for {elem_name(elem)}{list(tensor.dims)}, {count}"
        )
    if elem in PER_BYTE:
        return _unpacked(np.array(data, np.int64).astype(np.uint8), elem, count)
    if elem in ODD:
        return np.array(data, np.int64).astype(np.uint8)
    if elem in (T.FLOAT16, T.BFLOAT16):
        return np.array(data, np.int64).astype(np.uint16).view(DTYPES[elem])
    return np.array(data).astype(DTYPES[elem])


def external(tensor: TensorProto, folder: Path | None, nbytes: int) -> bytes:
    """The bytes of a tensor that stand in another file, which lies in the model's folder.

    Raises:
        FormatError: the path leads elsewhere, or the file is too short.
    """
    facts = {entry.key: entry.value for entry in tensor.external_data}
    what, location = f"tensor {tensor.name!r}", facts.get("location", "")
    if folder is None:
        raise FormatError(
            f"{what} stands in another file, {location!r}",
            hint="load the model by its path, so that its folder is known",
        )
    path = _inside(folder, location, what)
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", nbytes))
    except ValueError:
        raise FormatError(f"{what}: its place in {location!r} is no number") from None
    if length != nbytes or offset < 0:
        raise FormatError(f"{what}: {length} bytes at {offset} of {location!r}, not {nbytes}")
    if path.stat().st_size < offset + length:
        raise FormatError(f"{what}: {location!r} ends before {offset + length} bytes")
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def _inside(folder: Path, location: str, what: str) -> Path:
    """A file of a folder; no path that leads out of it, by a link neither."""
    root = folder.resolve()
    if not location or "\0" in location or Path(location).is_absolute():
        raise FormatError(f"{what}: {location!r} is no path in the model's folder")
    path = (root / location).resolve()
    if root not in path.parents:
        raise FormatError(f"{what}: {location!r} leads out of the model's folder")
    if not path.is_file():
        raise FormatError(f"{what}: there is no file {location!r} beside the model")
    return path


_READ = {
    AttributeProto.INT: lambda a: a.i, AttributeProto.FLOAT: lambda a: a.f,
    AttributeProto.STRING: lambda a: a.s.decode("utf-8", "replace"),
    AttributeProto.INTS: lambda a: list(a.ints), AttributeProto.FLOATS: lambda a: list(a.floats),
    AttributeProto.STRINGS: lambda a: [s.decode("utf-8", "replace") for s in a.strings],
    AttributeProto.TENSOR: lambda a: a.t, AttributeProto.TENSORS: lambda a: list(a.tensors),
    AttributeProto.GRAPH: lambda a: a.g, AttributeProto.GRAPHS: lambda a: list(a.graphs),
    AttributeProto.TYPE_PROTO: lambda a: a.tp,
    AttributeProto.SPARSE_TENSOR: lambda a: a.sparse_tensor,
}  # fmt: skip


def attribute(proto: AttributeProto) -> Any:
    """The value of an attribute.

    Raises:
        FormatError: it is of no known kind.
    """
    read = _READ.get(proto.type)
    if read is None:
        raise FormatError(f"attribute {proto.name!r} is of kind {proto.type}")
    return read(proto)


def nested(node: onnx.NodeProto) -> Sequence[onnx.GraphProto]:
    """The graphs in a node's attributes."""
    found = []
    for proto in node.attribute:
        if proto.HasField("g"):
            found.append(proto.g)
        found.extend(proto.graphs)
    return found

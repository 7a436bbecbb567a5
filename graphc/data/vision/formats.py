"""Readers of the published file formats of image datasets; nothing here runs what it reads.

IDX (MNIST): http://yann.lecun.com/exdb/mnist, "the IDX file format". CIFAR, binary and Python
versions: https://www.cs.toronto.edu/~kriz/cifar.html, "dataset layout".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.errors import GraphcError, GraphcWarning

_IDX_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_AXES = 8


class DatasetFileError(GraphcError, RuntimeError):
    """A dataset's file that is missing, or is not of its format."""


def read_bytes(path: Path, md5: str = "") -> bytes:
    """A file's content, unzipped where its name ends in .gz.

    A content whose MD5 is not the published one is warned about, and read all the same.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DatasetFileError(f"{path} cannot be read: {error.strerror}", where=caller()) from None
    if md5 and hashlib.md5(raw, usedforsecurity=False).hexdigest() != md5:
        warnings.warn(
            GraphcWarning(f"{path.name} is not the published file: its MD5 is not {md5}"),
            stacklevel=4,
        )
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetFileError(
            f"{path} is not a whole gzip file: {error}", where=caller()
        ) from None


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """The array of an IDX file.

    Args:
        content: its bytes.
        name: for messages.

    Raises:
        DatasetFileError: the header or the length is wrong.
    """
    if len(content) < 4 or content[0] or content[1] or content[2] not in _IDX_DTYPES:
        raise _not_idx(name, f"it begins with {content[:4].hex(' ')}")
    rank = content[3]
    if rank > _MOST_AXES or len(content) < 4 + 4 * rank:
        raise _not_idx(name, f"its header says {rank} axes")
    shape = tuple(np.frombuffer(content, ">u4", rank, 4).tolist())
    dtype = np.dtype(_IDX_DTYPES[content[2]])
    count = int(np.prod(shape, dtype=object))
    if len(content) != 4 + 4 * rank + count * dtype.itemsize:
        raise _not_idx(
            name,
            f"its header says {' x '.join(map(str, shape))}, {count * dtype.itemsize} bytes of "
            f"data; it has {len(content) - 4 - 4 * rank}",
        )
    data = np.frombuffer(content, dtype, count, 4 + 4 * rank).reshape(shape)
    return data.astype(dtype.newbyteorder("="))


def _not_idx(name: str, why: str) -> DatasetFileError:
    return DatasetFileError(
        f"{name} is not an IDX file: {why}",
        where=caller(),
        hint="download it again, or unzip it if it is a .gz file without that name",
    )


def find_file(folders: Sequence[Path], name: str) -> Path | None:
    """A file, plain or with .gz, in the first folder that has it."""
    for folder in folders:
        for each in (folder / name, folder / f"{name}.gz"):
            if each.is_file():
                return each
    return None


def parse_cifar_binary(content: bytes, labels: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and the last of `labels` label bytes of each record."""
    record = labels + 3072
    if not content or len(content) % record:
        raise DatasetFileError(
            f"{name} is not a CIFAR binary file: {len(content)} bytes are no multiple of {record}",
            where=caller(),
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    images = rows[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, labels - 1].astype(np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dicts, lists, bytes, numbers and NumPy arrays; refuses every other name."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        module = module.replace("numpy.core", "numpy._core")
        return super().find_class(module, name)


def parse_cifar_python(
    content: bytes, label_key: bytes, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and labels of a file of CIFAR's Python version.

    The file is a pickle; only arrays, lists and dicts are let through, so nothing in it runs.
    """
    try:
        found = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        data = np.asarray(found[b"data"], np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(found[label_key], np.int64).reshape(-1)
    except Exception as error:
        raise DatasetFileError(
            f"{name} is not a file of CIFAR's Python version: {error}",
            where=caller(),
            hint="use the binary version, which holds nothing but bytes",
        ) from None
    if len(data) != len(labels):
        raise DatasetFileError(
            f"{name}: {len(data)} images and {len(labels)} labels", where=caller()
        )
    return np.ascontiguousarray(data.transpose(0, 2, 3, 1)), labels


def read_member(archive: Path, name: str) -> bytes | None:
    """A file out of a .tar.gz by its last name, without unpacking anything; None if absent."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                if member.isfile() and Path(member.name).name == name:
                    source = opened.extractfile(member)
                    return source.read() if source is not None else None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DatasetFileError(
            f"{archive} is not a whole .tar.gz file: {error}", where=caller()
        ) from None
    return None


__all__ = [
    "DatasetFileError", "find_file", "parse_cifar_binary", "parse_cifar_python", "parse_idx",
    "read_bytes", "read_member",
]  # fmt: skip

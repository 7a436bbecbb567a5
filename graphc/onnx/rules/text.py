"""Strings and tables: computed with NumPy while a graph is read, from known values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from graphc.core.dtypes import is_float
from graphc.onnx.table import Use, rule
from graphc.onnx.values import MOST_MADE, Value, bounded

ML = "ai.onnx.ml"


def texts(items: Any, shape: Any = None) -> np.ndarray:
    """Strings as an array of objects."""
    found = np.empty(len(items), object)
    found[:] = items
    return found if shape is None else found.reshape(shape)


@rule("StringNormalizer", takes="k")
def string_normalizer(a: Use, x: np.ndarray) -> Any:
    change = {"UPPER": str.upper, "LOWER": str.lower}.get(a.case_change_action, str)
    stop = a.stopwords or []
    if not a.is_case_sensitive:
        stop = [w.lower() for w in stop]

    def is_kept(word: str) -> bool:
        return (word if a.is_case_sensitive else word.lower()) not in stop

    rows = [x.tolist()] if x.ndim == 1 else x.tolist()
    found = [[change(w) for w in row if is_kept(w)] or [""] for row in rows]
    return (
        texts(found[0])
        if x.ndim == 1
        else texts([w for row in found for w in row], (len(found), -1))
    )


@rule("StringConcat", takes="kk")
def string_concat(a: Use, x: np.ndarray, y: np.ndarray) -> Any:
    left, right = np.broadcast_arrays(x, y)
    return texts([f"{p}{q}" for p, q in zip(left.flat, right.flat)], left.shape)


@rule("StringSplit", takes="k")
def string_split(a: Use, x: np.ndarray) -> Any:
    limit = -1 if a.maxsplit is None else a.maxsplit
    rows = [str(s).split(a.delimiter or None, limit) for s in x.flat]
    width = max(map(len, rows), default=0)
    padded = [part for row in rows for part in [*row, *[""] * (width - len(row))]]
    counts = np.array([len(row) for row in rows], np.int64).reshape(x.shape)
    return texts(padded, (*x.shape, width)), counts


@rule("RegexFullMatch", takes="k")
def regex_full_match(a: Use, x: np.ndarray) -> Any:
    pattern = re.compile(a.pattern)
    return np.array([pattern.fullmatch(str(s)) is not None for s in x.flat], bool).reshape(x.shape)


@rule("LabelEncoder", takes="v", domain=ML)
def label_encoder(a: Use, x: Value) -> Any:
    known = x.array()
    keys, values = _column(a, "keys"), _column(a, "values")
    if keys is None or values is None:
        raise ValueError("it has no keys or no values")
    table = {_key(k): v for k, v in zip(keys, values)}
    default = _default(a, values)
    found = [table.get(_key(k), default) for k in known.flat]
    if values.dtype == object:
        return texts(found, known.shape)
    return np.array(found, values.dtype).reshape(known.shape)


def _key(value: Any) -> Any:
    return "nan" if isinstance(value, float | np.floating) and np.isnan(value) else value


def _column(a: Use, what: str) -> np.ndarray | None:
    for suffix, dtype in (("strings", object), ("int64s", np.int64), ("floats", np.float32)):
        found = a.attributes.get(f"{what}_{suffix}")
        if found is not None:
            return texts(found) if dtype is object else np.array(found, dtype)
    tensor = a.attributes.get(f"{what}_tensor")
    return None if tensor is None else a.reader.tensor(tensor).array().reshape(-1)


def _default(a: Use, values: np.ndarray) -> Any:
    if a.default_tensor is not None:
        return a.reader.tensor(a.default_tensor).array().reshape(-1)[0]
    if values.dtype == object:
        return a.default_string if a.default_string is not None else "_Unused"
    if is_float(values.dtype):
        return a.default_float if a.default_float is not None else -0.0
    return a.default_int64 if a.default_int64 is not None else -1


@rule("TfIdfVectorizer", takes="k")
def tf_idf(a: Use, x: np.ndarray) -> Any:
    pool = a.pool_int64s if a.pool_int64s is not None else a.pool_strings
    grams = _grams(pool, a.ngram_counts, a.min_gram_length, a.max_gram_length)
    width = bounded(max(a.ngram_indexes) + 1, MOST_MADE, "n-grams")
    rows = x.reshape(1, -1) if x.ndim < 2 else x
    counts = np.zeros((len(rows), width), np.float32)
    for row, line in zip(counts, rows.tolist()):
        for gram, place in grams.items():
            for skip in range(1, (a.max_skip_count if len(gram) > 1 else 0) + 2):
                reach = (len(gram) - 1) * skip
                starts = range(len(line) - reach)
                row[a.ngram_indexes[place]] += sum(
                    tuple(line[s : s + reach + 1 : skip]) == gram for s in starts
                )
    weights = np.ones(width, np.float32)
    if a.weights is not None:
        weights[np.array(a.ngram_indexes)] = a.weights
    if a.mode == "TF":
        found = counts
    else:
        found = (counts if a.mode == "TFIDF" else (counts > 0).astype(np.float32)) * weights
    return found[0] if x.ndim < 2 else found


def _grams(pool: Any, starts: list[int], least: int, most: int) -> dict[tuple[Any, ...], int]:
    """The n-grams that count, each with its number."""
    found, number = {}, 0
    for size, start in enumerate(starts, 1):
        end = starts[size] if size < len(starts) else len(pool)
        for k in range(start, end, size):
            if least <= size <= most:
                found[tuple(pool[k : k + size])] = number
            number += 1
    return found

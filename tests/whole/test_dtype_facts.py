"""What a dtype is stands on its record: no code asks NumPy's kinds of floats, or lists dtypes.

NumPy's `kind` of bfloat16 is "V", its `finfo` refuses it: code that asked them would take it for
no float, without an error. `dtypes.is_float`, `DType.finfo` and their neighbours are what to ask.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.core import dtypes

ROOT = Path(__file__).resolve().parent.parent.parent
RECORD = ROOT / "graphc" / "core" / "dtypes.py"
# Its text is copied into programs that have no graphc; `is_float` there asks for bfloat16 too.
COPIED = ROOT / "graphc" / "jit" / "export" / "numpy_helpers.py"
FILES = [p for f in ("graphc", "passes", "runtime") for p in sorted((ROOT / f).rglob("*.py"))]
SOURCES = {path: ast.parse(path.read_text()) for path in FILES if path != RECORD}
# The characters of NumPy's kinds; no kind of a DType ("float", "uint" ...) is made of these alone.
KINDS = frozenset("biufcmMOSUV")
# Where a dtype's name is its meaning: methods and names of PyTorch's and ONNX's, promotion,
# conversions.
NAMING = {
    "graphc/__init__.py", "graphc/core/dlpack.py", "graphc/eager/methods/conversions.py",
    "graphc/jit/export/numpy_export.py", "graphc/jit/export/numpy_ops.py",
    "graphc/nn/module/conversion.py", "graphc/nn/utils/rnn.py", "graphc/onnx/files.py",
    "graphc/ops/declare.py", "graphc/ops/flow/loops.py",
}  # fmt: skip


def _is_floats(node: ast.AST) -> bool:
    """Whether a literal is one of NumPy's kinds, or a string or set of such, floats among them."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_is_floats, node.elts))
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return "f" in node.value and set(node.value) <= KINDS


def _asks_kind(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(s, ast.Attribute) and s.attr == "kind" for s in sides):
                yield from [node.lineno] if any(map(_is_floats, sides)) else []
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.finfo", "np.issubdtype"):
            yield node.lineno


def _places(found: Iterator[int], path: Path) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for line in found]


def test_the_search_finds_what_it_is_for() -> None:
    asked = (
        'x.dtype.kind == "f"\na.kind not in "biuf"\nnp.finfo(d)\n"f" != v.kind\nk.kind in ("f",)'
    )
    assert sorted(_asks_kind(ast.parse(asked))) == [1, 2, 3, 4, 5]
    assert not list(_asks_kind(ast.parse('t.kind == "float"\nx.dtype.kind in "iu"\nd.finfo.eps')))


def test_no_code_asks_for_numpys_kind_of_floats() -> None:
    places = [p for path, tree in SOURCES.items() for p in _places(_asks_kind(tree), path)]
    helper = next(f for f in SOURCES[COPIED].body if getattr(f, "name", "") == "is_float")
    allowed = {f"{COPIED.relative_to(ROOT)}:{node.lineno}" for node in ast.walk(helper)
               if isinstance(node, ast.Compare)}  # fmt: skip
    assert set(places) == allowed, "ask graphc.core.dtypes instead"


def _names_narrow(tree: ast.AST) -> bool:
    narrow = {d.name for d in dtypes.ALL if d.wide is not None}
    return any(
        (isinstance(n, ast.Attribute) and n.attr in narrow)
        or (isinstance(n, ast.Name) and n.id in narrow)
        for n in ast.walk(tree)
    )


def test_narrow_floats_are_facts_and_no_lists() -> None:
    """What holds of float16 or bfloat16 is asked of the record (`wide`, `compute`, `finfo`)."""
    naming = {str(path.relative_to(ROOT)) for path, tree in SOURCES.items() if _names_narrow(tree)}
    assert naming == NAMING


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_records_say_what_numpy_holds(dtype: dtypes.DType) -> None:
    assert dtypes.as_dtype(dtype.numpy) is dtypes.as_dtype(dtype.name) is dtype
    assert dtypes.as_dtype(dtype.short) is dtypes.by_char(dtype.numpy.char) is dtype
    assert dtypes.BY_CODE[dtype.code] is dtype
    assert dtype.itemsize == np.empty(1, dtype.numpy).nbytes
    assert dtypes.is_float(dtype.numpy) is dtype.is_float
    assert dtypes.has_numbers(dtype.numpy)
    assert dtypes.is_narrow(dtype.numpy) is (dtype.compute is not dtype)
    assert dtypes.holds(dtype.compute, dtype)
    ones = dtypes.widened(np.ones(2, dtype.numpy))
    assert ones.dtype == dtype.compute.numpy and ones.tolist() == [1, 1]
    if dtype.is_float:
        one = np.array(1, dtype.numpy)
        above = np.nextafter(one, np.array(2, dtype.numpy))
        assert float(above) - 1 == float(dtype.finfo.eps) == 2.0 ** (1 - dtype.digits)


def test_what_is_no_number_is_no_float() -> None:
    for name in ("<U3", "O", "V2", "M8[s]", "c8"):
        assert not dtypes.is_float(np.dtype(name)) and not dtypes.has_numbers(np.dtype(name))
    assert dtypes.is_float(np.dtype(">f4")) and dtypes.is_float(np.dtype("longdouble"))


def test_dtypes_are_names_of_the_package() -> None:
    for dtype in dtypes.ALL:
        name = "bool_" if dtype.kind == "bool" else dtype.name
        assert getattr(gc, name) is dtype and name in gc.__all__

"""Symbolic tensors in calls of eager functions: constants beside them, or errors that say why."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from forms.compare import difference
from forms.forms import DATA, namespace
from forms.recorded import expected

import graphc as gc
from graphc.core.dtypes import as_dtype
from graphc.core.ir import toposort
from graphc.eager.engine.dispatch import NUMPYS
from graphc.ops.source import CONSTANT_OP, INPUT_OP

# Their results have a shape that depends on values.
_BY_VALUES = {"argwhere", "bincount", "masked_scatter", "masked_select", "nonzero",
              "range", "unique", "where"}  # fmt: skip
# What gives facts or makes tensors of values.
_OTHERS = {
    "arange", "element_size", "is_floating_point", "linspace", "logspace", "nelement", "numel",
    "tensor", "type_as",
}  # fmt: skip


def _values(found: list[Any]) -> list[np.ndarray]:
    nodes = [n for n in found if isinstance(n, gc.Node)]
    order = toposort(nodes)
    inputs = [n for n in order if n.op is INPUT_OP]
    constants = [n for n in order if n.op is CONSTANT_OP]
    graph = gc.Graph.of("form", [*inputs, *constants], nodes)
    known = iter(gc.interpret(graph, *(DATA[n.name] for n in inputs)) if nodes else [])
    return [np.asarray(next(known) if isinstance(v, gc.Node) else v) for v in found]


def _given(kind: str, name: str) -> Any:
    array = DATA[name]
    if kind == "symbolic":
        return gc.input(name, array.shape, as_dtype(array.dtype))
    return gc.tensor(array) if kind == "eager" else array


def _outcome(text: str, kinds: dict[str, str], want: list[np.ndarray]) -> tuple[str, str]:
    """What a form gives with its tensors of these kinds."""
    scope = namespace(gc, gc.tensor) | {n: _given(k, n) for n, k in kinds.items()}
    try:
        with np.errstate(all="ignore"):
            result = eval(text, scope)
        found = list(result) if isinstance(result, list | tuple) else [result]
        values = _values(found)
    except gc.errors.GraphcError as error:
        return "refused", str(error)
    except Exception as error:
        return "raw", f"{type(error).__name__}: {error}"
    if "symbolic" in kinds.values() and not any(isinstance(v, gc.Node) for v in found):
        return "no graph", type(result).__name__
    # Dtypes are NumPy's in a graph: int64 beside float32 is float64, of bytes float16.
    want = [np.asarray(w, "e" if v.dtype == "e" else None) for v, w in zip(values, want)]
    why = difference(want, [v.astype(w.dtype) for v, w in zip(values, want)])
    return ("different", why) if why else ("right", "")


def _mixtures(text: str) -> Iterator[dict[str, str]]:
    """The kinds that the tensors of a form may be of; all eager is left to other tests."""
    names = [n for n in DATA if n in compile(text, "form", "eval").co_names]
    of_method = text[0] if text[1] == "." and text[0] not in "TF" else ""
    for kinds in itertools.product(("symbolic", "eager", "array"), repeat=len(names)):
        found = dict(zip(names, kinds))
        if {*kinds} != {"eager"} and found.get(of_method) != "array":
            yield found


def _sweep(forms: dict[str, list[np.ndarray]]) -> collections.Counter[str]:
    wrong, count = [], collections.Counter[str]()
    for text, want in forms.items():
        name = text.split("(")[0].split(".")[-1]
        if name.endswith("_") or name in _OTHERS or "." not in text[:2] or ".float()" in text:
            continue
        for kinds in _mixtures(text):
            kind, why = _outcome(text, kinds, want)
            count[kind] += 1
            is_numpys = name in NUMPYS and kind in ("different", "refused")
            is_numpys |= kind == "refused" and "with 0 axes" in why
            is_refused = kind == "refused" and (
                name in _BY_VALUES and ("no value" in why or "out of range" in why)
            )
            if any(word in why for word in ("_array", "_node", "__index__", "is_eager")) or not (
                kind == "right" or is_numpys or is_refused
            ):
                wrong.append(f"{text} of {kinds}: {kind}: {why}")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:40])
    return count


def test_each_function_takes_symbolic_tensors_eager_ones_arrays_and_mixtures() -> None:
    count = _sweep(expected())
    assert count["right"] > 20 * count["refused"], count


@pytest.mark.parametrize("words", [{"dim": 1}, {"axis": 1}, {"dim": 1, "keepdim": True}])
def test_axes_may_be_named_as_in_pytorch_and_as_in_numpy(words: dict[str, Any]) -> None:
    array = DATA["m"]
    node = gc.input("m", array.shape)
    named = {"axis": 1, "keepdims": words.get("keepdim", False)}
    for name in ("sum", "mean", "prod", "any", "all", "argmax", "argmin", "amax", "amin"):
        want = getattr(np, name)(array, **named)
        method = getattr(node, name)(**words)
        for found in (getattr(gc, name)(node, **words), method):
            np.testing.assert_allclose(_values([found])[0], want, rtol=1e-5)
    own = {key: value for key, value in words.items() if key != "keepdim"}
    for call in (gc.softmax, gc.cumsum, gc.log_softmax):
        by_word, by_place = call(node, **own), call(node, 1)
        first, second = _values([by_word, by_place])
        np.testing.assert_array_equal(first, second)


def test_in_the_words_of_pytorch_results_are_pytorchs() -> None:
    array = DATA["m"]
    node = gc.input("m", array.shape)
    values, indices = gc.max(node, dim=1)
    np.testing.assert_array_equal(_values([values])[0], array.max(1))
    np.testing.assert_array_equal(_values([indices])[0], array.argmax(1))
    np.testing.assert_array_equal(_values([node.transpose(0, 1)])[0], array.T)


# Square, so that no shape tells one convention from another.
SQUARE = np.random.default_rng(3).standard_normal((3, 3, 3)).astype("f")
ALIKE = """
    gc.var(x) | gc.std(x) | x.var() | x.std() | x.var(1) | x.std(1) | x.var(1, keepdim=True)
    x.var(axis=1) | x.std(axis=0, keepdims=True) | x.var(dim=1) | gc.std(x, (0, 2)) | x.var(False)
    gc.var(x, 1, False) | x.std(1, True, True) | x.var(correction=0) | x.std(0, unbiased=False)
    x.var(1, correction=2) | x.var(ddof=0, axis=1) | gc.var_mean(x, 1)[0] | gc.std_mean(x)[0]
    gc.diagonal(x) | x.diagonal() | gc.diagonal(x, 1) | x.diagonal(-1, 1, 2) | x.flip((0, 1))
    gc.diagonal(x, dim1=2, dim2=0) | x.diagonal(offset=2, dim1=0, dim2=1) | x.repeat(2, 1, 1)
    x[0, 0].repeat(4) | gc.repeat(x, 2) | gc.repeat(x, 3, 0) | x.flip(0, 2) | gc.flip(x, [1])
"""


@pytest.mark.parametrize(
    "text", [t.strip() for t in ALIKE.replace("|", "\n").split("\n") if t.strip()]
)
def test_a_call_gives_the_same_of_symbolic_tensors_and_of_eager_ones(text: str) -> None:
    node, tensor = gc.input("x", SQUARE.shape), gc.tensor(SQUARE)
    found, want = (eval(text, {"gc": gc, "x": x}) for x in (node, tensor))
    np.testing.assert_allclose(gc.compile([node], found)(SQUARE), want.numpy(), rtol=1e-5)


def test_symbolic_tensors_have_the_methods_that_tensors_have() -> None:
    missing = {
        name for name in dir(gc.Tensor)
        if not name.startswith("_") and not name.endswith("_") and not hasattr(gc.Node, name)
    }  # fmt: skip
    assert missing == {
        "backward", "cuda", "data", "data_ptr", "grad", "grad_fn", "is_leaf", "is_meta",
        "is_mkldnn", "is_mps", "is_nested", "is_quantized", "is_sparse", "is_sparse_csr", "is_xpu",
        "item", "layout", "numpy", "pin_memory", "register_hook",
        "register_post_accumulate_grad_hook", "requires_grad", "retain_grad", "stride", "tolist",
        "version",
    }  # fmt: skip


def test_programs_and_parameters_take_tensors_and_numpys_numbers() -> None:
    x, q = gc.input("x", (2,)), gc.input("q", ())
    double = gc.compile([x, q], [x * 2, q * 2])
    first, second = double(gc.ones(2, requires_grad=True), np.float64(0.1))
    assert first.tolist() == [2.0, 2.0] and second == np.float32(0.1) * 2
    weight = gc.parameter("w", gc.ones(2))
    weight.value = gc.full((2,), 3.0)
    program = gc.compile([], weight * 1, updates={weight: gc.zeros(2)})
    assert program().tolist() == [3.0, 3.0] and weight.value.tolist() == [0.0, 0.0]
    assert gc.parameter("k", gc.random_key(3)).dtype is gc.uint64
    with pytest.raises(gc.errors.ArgumentError, match="depends on x"):
        gc.parameter("p", x * 2)


def test_numpys_numbers_are_the_numbers_that_they_are() -> None:
    for one in (np.float64(0.5), np.float32(0.5), np.float16(0.5)):
        for found in (X * one, one * X, X - one, X**one, gc.maximum(X, one), gc.lerp(X, X, one)):
            assert found.dtype is gc.float32
        np.testing.assert_array_equal(_values([one < X])[0], DATA["v"] > 0.5)
    byte = gc.input("u", DATA["u"].shape, gc.uint8)
    np.testing.assert_array_equal(_values([byte < np.int64(300)])[0], True)
    assert (byte * np.int64(2)).dtype is gc.uint8 and (byte * np.float64(2)).dtype is gc.float64
    m = gc.input("m", DATA["m"].shape)
    two = np.int64(2)
    values, _ = gc.topk(m, two)
    assert values.shape == (4, 2) and gc.roll(m, two, np.int64(0)).shape == (4, 4)
    assert gc.split(m, two)[0].shape == (2, 4) and gc.tile(m, two).shape == (4, 8)


def test_symbolic_sizes_go_through_eager_forms_or_are_said() -> None:
    n = gc.dim("n", min=1)
    x = gc.input("x", (n, 4))
    program = gc.compile([x], [x.unsqueeze(0), x.unflatten(1, (2, 2)), gc.median(x, dim=1).values])
    array = np.arange(12, dtype="f").reshape(3, 4)
    lone, split, middle = program(array)
    assert lone.shape == (1, 3, 4) and split.shape == (3, 2, 2)
    np.testing.assert_array_equal(middle, array[:, 1])
    for call in (lambda: gc.narrow(x, 0, 0, 0), lambda: gc.unbind(x)):
        with pytest.raises(gc.errors.ShapeError, match="not known"):
            call()


def test_counts_of_a_symbolic_tensor_have_the_size_that_is_asked_for() -> None:
    u = gc.input("u", (4,), gc.int64)
    program = gc.compile([u], gc.bincount(u, minlength=4))
    assert program(np.array([0, 2, 2, 3])).tolist() == [1, 0, 2, 1]
    for outside in (4, -1):
        with pytest.raises(gc.errors.IndexRangeError):
            program(np.array([0, 2, 2, outside]))


X = gc.input("v", (4,), gc.float32)
I = gc.input("i", (2,), gc.int64)  # noqa: E741
ONES = gc.ones(4)
CALLS: dict[str, tuple[Callable[[], Any], Any]] = {
    "matmul": (lambda: gc.full((4,), 2.0) @ X, 12),
    "power": (lambda: gc.full((4,), 2.0) ** X, [1, 2, 4, 8]),
    "method": (lambda: ONES.add(X), [1, 2, 3, 4]),  # type: ignore[arg-type]
    "keyword": (lambda: gc.maximum(ONES, other=X), [1, 1, 2, 3]),
    "list": (lambda: gc.cat([ONES, X]), [1, 1, 1, 1, 0, 1, 2, 3]),  # type: ignore[list-item]
    "index_add": (lambda: gc.index_add(gc.zeros(4), 0, I, X[:2]), [0, 0, 0, 1]),
    "index_add of a node": (
        lambda: gc.index_add(X, 0, gc.tensor([0, 0]), gc.ones(2)),
        [2, 1, 2, 3],
    ),
    "the graph's index_add": (lambda: gc.index_add(X, I, X[:2]), [0, 1, 2, 4]),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_eager_tensor_is_a_constant_of_the_graph(name: str) -> None:
    make, want = CALLS[name]
    node = make()
    inputs = [n for n in (X, I) if n in toposort([node])]
    program = gc.compile(inputs, node)
    given = {X: np.arange(4, dtype="f"), I: np.array([1, 3])}
    np.testing.assert_allclose(program(*(given[n] for n in inputs)), want, rtol=1e-6)


def test_what_a_symbolic_tensor_has_not_is_said() -> None:
    for ask, text in (
        (lambda: X.numpy(), "is a symbolic tensor and has no value"),  # type: ignore[attr-defined]
        (lambda: X.no_such(), "is a symbolic tensor and has no 'no_such'"),  # type: ignore[attr-defined]
        (lambda: X.add_(1), r"use x.add\(...\), which makes a new one"),  # type: ignore[attr-defined]
        (lambda: float(X), "a symbolic tensor, which has no value"),
        (lambda: gc.bincount(I), r"bincount: <i: i64\[2\]> is a symbolic tensor and has no value"),
    ):
        with pytest.raises(gc.errors.ArgumentError, match=text):
            ask()
    assert not hasattr(X, "add_") and not hasattr(ONES, "no_such_thing")
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'no_such_thing'"):
        ONES.no_such_thing  # type: ignore[attr-defined]  # noqa: B018


def test_help_says_where_symbolic_tensors_follow_numpy() -> None:
    for name in NUMPYS:
        assert "Of symbolic tensors, as NumPy has it" in getattr(gc, name).__doc__, name
    assert "max(x, axis=None, keepdims=False)" in str(gc.max.__doc__)

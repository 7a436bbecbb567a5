"""Tensors print as PyTorch prints them, character by character.

`golden/printed_tensors.txt` holds calls of `show` and the texts that PyTorch 2.13 gives for them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting import calls_of
from layouts import as_torch

import graphc as gc
from graphc.core.dtypes import is_float
from graphc.eager.methods.printing import (
    get_printoptions,
    printoptions,
    set_printoptions,
    tensor_text,
)
from graphc.errors import AttributeValueError

GOLDEN = Path(__file__).parent.parent / "golden" / "printed_tensors.txt"
GRAD_FNS: dict[str, Callable[[Any], Any]] = {
    "CloneBackward0": lambda t: t.clone(),
    "ViewBackward0": lambda t: t.view(t.shape),
    "MulBackward0": lambda t: t * 1,
}


def read_cases(text: str) -> list[tuple[str, str]]:
    """The calls and the texts that follow them. A line of `#` starts a section."""
    cases: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith(">>> "):
            cases.append((line.removeprefix(">>> "), []))
        elif cases and not line.startswith("#"):
            cases[-1][1].append(line)
    return [(call, "\n".join(lines).rstrip("\n")) for call, lines in cases]


CASES = read_cases(GOLDEN.read_text())


def as_array(values: Any, dtype: str | None) -> np.ndarray:
    """Floats are float32 unless a dtype is given."""
    array = np.array(values, dtype)
    return array.astype(np.float32) if dtype is None and array.dtype == np.float64 else array


def show(
    values: Any,
    dtype: str | None = None,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    default_dtype: str = "float32",
    **options: Any,
) -> str:
    with printoptions(**options):
        return tensor_text(
            as_array(values, dtype),
            requires_grad=requires_grad,
            grad_fn=grad_fn,
            default_dtype=default_dtype,
        )


def show_with_torch(
    torch: Any,
    values: Any,
    dtype: str | None = None,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    default_dtype: str = "float32",
    **options: Any,
) -> str:
    tensor = as_torch(torch, as_array(values, dtype).copy())
    if grad_fn is not None:
        tensor = GRAD_FNS[grad_fn](tensor.requires_grad_())
    elif requires_grad:
        tensor.requires_grad_()
    torch.set_default_dtype(getattr(torch, default_dtype))
    try:
        with torch._tensor_str.printoptions(profile=options.pop("profile", "default"), **options):
            return repr(tensor)
    finally:
        torch.set_default_dtype(torch.float32)


def evaluate(call: str, show: Callable[..., str]) -> str:
    names = {name: getattr(np, name) for name in ("arange", "linspace", "zeros", "nan", "inf")}
    return eval(call, {**names, "show": show})


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


# --- the table


def test_the_table_is_whole() -> None:
    assert len(CASES) >= 240
    assert len({call for call, _ in CASES}) == len(CASES)
    assert all(text.startswith("tensor(") and text.endswith(")") for _, text in CASES)


@pytest.mark.parametrize(("call", "text"), CASES, ids=[call for call, _ in CASES])
def test_text(call: str, text: str) -> None:
    assert evaluate(call, show) == text


@pytest.mark.parity
def test_the_table_is_what_torch_prints(torch: Any) -> None:
    def shown(*args: Any, **kwargs: Any) -> str:
        return show_with_torch(torch, *args, **kwargs)

    for call, text in CASES:
        assert evaluate(call, shown) == text, call


# --- random arrays

DTYPES = ("float32", "float32", "float16", "float64", "bool", "int8", "int16", "int32", "int64")
DTYPES += ("uint8", "uint16", "uint32", "uint64", "bfloat16")  # type: ignore[assignment]
MOST = (1, 2500, 60, 16, 9)  # the longest axis, by the number of axes
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0)


def random_array(rng: np.random.Generator) -> np.ndarray:
    """An array of any dtype and up to four axes, at times empty, at times not contiguous."""
    ndim = int(rng.integers(len(MOST)))
    most = MOST[ndim] if rng.random() < 0.4 else 9
    least = 0 if rng.random() < 0.1 else 1
    shape = tuple(int(size) for size in rng.integers(least, max(most, 1) + 1, ndim))
    dtype = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    if is_float(dtype):
        array = random_floats(rng, shape, dtype)
    elif dtype.kind == "b":
        array = np.asarray(rng.random(shape) < 0.5)
    else:
        info = np.iinfo(dtype)
        low, high = ((info.min, info.max), (0, 9), (-50, 127))[rng.integers(3)]
        drawn = rng.integers(max(low, info.min), high, shape, dtype, endpoint=True)
        array = np.asarray(drawn, dtype)
    if ndim > 1 and rng.random() < 0.2:
        array = array.swapaxes(0, 1)
    return array


def random_floats(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Of one magnitude or of many, whole or not, with nan and infinity among them."""
    normal = np.asarray(rng.standard_normal(shape))
    array = (
        np.round(normal * rng.choice([1, 10, 1000, 1e6, 1e9])),
        normal * 10.0 ** rng.integers(-12, 13),
        normal * 10.0 ** rng.uniform(-rng.integers(1, 40), rng.integers(1, 40), shape),
        np.abs(normal) + 0.1,
        normal,
        np.zeros(shape),
    )[rng.integers(6)]
    if rng.random() < 0.4:
        chosen = rng.random(shape) < rng.choice([0.05, 0.5, 1.0])
        array = np.where(chosen, rng.choice(SPECIAL, shape), array)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(array).astype(dtype)


def random_options(rng: np.random.Generator) -> dict[str, Any]:
    if rng.random() < 0.6:
        return {}
    return {
        "precision": int(rng.integers(0, 9)),
        "threshold": float(rng.choice([0, 5, 50, 1000, np.inf])),
        "edgeitems": int(rng.integers(0, 5)),
        "linewidth": int(rng.choice([1, 20, 40, 80, 120, 200])),
        "sci_mode": (None, None, True, False)[rng.integers(4)],
    }


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(8))
def test_random_arrays_print_as_in_torch(torch: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(500):
        array, options = random_array(rng), random_options(rng)
        gradient: dict[str, Any] = {}
        if is_float(array.dtype) and rng.random() < 0.5:
            gradient = {"requires_grad": True}
            if rng.random() < 0.5:
                gradient = {"grad_fn": str(rng.choice(list(GRAD_FNS)))}
        default = "float32" if rng.random() < 0.8 else "float64"
        call = {"dtype": array.dtype.name, "default_dtype": default, **gradient, **options}
        expected = show_with_torch(torch, array, **call)
        assert show(array, **call) == expected, (seed, call, array.shape)


def read_back(text: str) -> list[Any]:
    """The elements of a text without `...`, as nested lists."""
    inside = text.removeprefix("tensor(").split("]), ")[0].removesuffix(")")
    end = inside.rfind("]") + 1
    literal = inside[:end].replace("nan", "1e999").replace("inf", "1e999")
    return ast.literal_eval(literal)


@pytest.mark.parametrize("seed", range(4))
def test_printed_elements_are_the_elements(seed: int) -> None:
    """Without PyTorch: a text reads back as the array it shows, to the digits it shows."""
    rng = np.random.default_rng(100 + seed)
    for _ in range(200):
        array = random_array(rng)
        if array.ndim == 0 or array.size == 0:
            continue
        text = show(array, array.dtype.name, threshold=np.inf, precision=6, sci_mode=True)
        read = np.array(read_back(text), np.float64)
        assert read.shape == array.shape
        if not is_float(array.dtype):
            assert np.array_equal(np.array(read_back(text), array.dtype), array)
            continue
        finite = np.isfinite(array)
        assert np.array_equal(np.isfinite(read), finite)
        values = array[finite].astype(np.float64)
        assert np.all(np.abs(read[finite] - values) <= 0.5000001e-6 * np.abs(values) * 10)
        assert np.array_equal(np.signbit(read[finite]), np.signbit(values))


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_as_wide_as_asked(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    for _ in range(200):
        array = rng.integers(-999, 999, rng.integers(1, 12, 3))
        width = int(rng.integers(30, 120))
        text = show(array, linewidth=width)
        assert max(len(line.rstrip("]),")) for line in text.splitlines()) < width
        assert not any(line.endswith(" ") for line in text.splitlines())


# --- what the table does not say


def test_dtypes_may_be_of_another_module() -> None:
    halves = np.ones(2, np.float16)
    assert tensor_text(halves) == "tensor([1., 1.], dtype=torch.float16)"
    text = tensor_text(halves, namespace="graphc")
    assert text == "tensor([1., 1.], dtype=graphc.float16)"


def test_grad_fn_stands_for_requires_grad() -> None:
    text = tensor_text(np.float32([1]), requires_grad=True, grad_fn="AddBackward0")  # type: ignore[arg-type]
    assert text == "tensor([1.], grad_fn=<AddBackward0>)"


def test_classes() -> None:
    ones = np.ones(2, np.float32)
    assert tensor_text(ones, class_name="Tensor") == "tensor([1., 1.])"
    assert tensor_text(ones, class_name="Mine") == "Mine([1., 1.])"
    rows = tensor_text(np.ones((2, 2), np.float32), class_name="Mine")
    assert rows == "Mine([[1., 1.],\n      [1., 1.]])"


def test_parameters() -> None:
    eye = np.eye(2, dtype=np.float32)
    plain = tensor_text(eye, class_name="Parameter", requires_grad=True)
    assert plain == (
        "Parameter containing:\ntensor([[1., 0.],\n        [0., 1.]], requires_grad=True)"
    )
    made_from = tensor_text(eye[0], class_name="Scale", parameter=True, requires_grad=True)
    assert made_from == "Parameter containing:\nParameter(Scale([1., 0.], requires_grad=True))"


@pytest.mark.parity
def test_parameters_are_as_in_torch(torch: Any) -> None:
    class Scale(torch.nn.Parameter):
        pass

    for made in (torch.nn.Parameter, Scale):
        array = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
        parameter = made(torch.from_numpy(array))
        text = tensor_text(array, class_name=made.__name__, parameter=True, requires_grad=True)
        assert text == repr(parameter)


def test_without_elements() -> None:
    """A tensor that is traced has a shape and a dtype only."""
    assert tensor_text(None, shape=("n", 3)) == "tensor(..., size=(n, 3))"
    assert tensor_text(None, shape=(3,)) == "tensor(..., size=(3,))"
    assert tensor_text(None, shape=(), dtype=np.int64) == (
        "tensor(..., size=(), dtype=torch.int64)"
    )
    assert tensor_text(None, shape=(2, 3), requires_grad=True) == (
        "tensor(..., size=(2, 3), requires_grad=True)"
    )


@pytest.mark.parametrize("shape", [(1000, 1000), (10**6, 10**6), (2, 10**9)])
def test_large_tensors_print_at_once(shape: tuple[int, ...]) -> None:
    array = np.broadcast_to(np.float32(0.5), shape)
    assert " ..." in tensor_text(array)
    assert calls_of(lambda: tensor_text(array)) < 5000


def test_printing_does_not_write() -> None:
    array = np.linspace(-1, 1, 3000, dtype=np.float32).reshape(50, 60)
    before = array.copy()
    array.flags.writeable = False
    tensor_text(array)
    assert np.array_equal(array, before)


def test_classes_made_from_tensor() -> None:
    class Celsius(gc.Tensor):
        pass

    assert repr(Celsius([1.0, 2.0])) == "Celsius([1., 2.])"
    assert repr(Celsius([1.0, 2.0]).requires_grad_()) == "Celsius([1., 2.], requires_grad=True)"


# --- options

DEFAULTS = {
    "precision": 4,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 80,
    "sci_mode": None,
}


@pytest.fixture(autouse=True)
def restored_options() -> Any:
    before = get_printoptions()
    yield
    set_printoptions(**before)


def test_options_stay_until_they_are_set_again() -> None:
    assert get_printoptions() == DEFAULTS
    set_printoptions(precision=2, edgeitems=1)
    set_printoptions(linewidth=40)
    assert get_printoptions() == {**DEFAULTS, "precision": 2, "edgeitems": 1, "linewidth": 40}
    assert tensor_text(np.float32([1.23456])) == "tensor([1.23])"  # type: ignore[arg-type]
    set_printoptions(profile="default")
    assert get_printoptions() == DEFAULTS


def test_sci_mode_is_set_by_every_call() -> None:
    """As in PyTorch: a call that does not name it lets the values decide again."""
    set_printoptions(sci_mode=True)
    assert tensor_text(np.float32([1.5])) == "tensor([1.5000e+00])"  # type: ignore[arg-type]
    set_printoptions(precision=4)
    assert tensor_text(np.float32([1.5])) == "tensor([1.5000])"  # type: ignore[arg-type]


@pytest.mark.parity
@pytest.mark.parametrize("profile", ["default", "short", "full"])
def test_profiles_are_as_in_torch(torch: Any, profile: str) -> None:
    with printoptions(profile=profile), torch._tensor_str.printoptions(profile=profile):
        expected = torch._tensor_str.get_printoptions()
        assert {name: expected[name] for name in DEFAULTS} == get_printoptions()


def test_profiles() -> None:
    set_printoptions(profile="short")
    assert get_printoptions() == {**DEFAULTS, "precision": 2, "edgeitems": 2}
    set_printoptions(profile="full", edgeitems=5)
    assert get_printoptions() == {**DEFAULTS, "threshold": np.inf, "edgeitems": 5}


def test_options_of_a_block_end_with_it() -> None:
    with pytest.raises(KeyError), printoptions(precision=1, sci_mode=False):
        assert tensor_text(np.float32([0.25])) == "tensor([0.2])"  # type: ignore[arg-type]
        with printoptions(linewidth=10):
            assert get_printoptions()["precision"] == 1
        assert get_printoptions()["linewidth"] == 80
        raise KeyError
    assert get_printoptions() == DEFAULTS


def test_a_row_without_a_width() -> None:
    with printoptions(linewidth=np.inf, threshold=np.inf):
        assert "\n" not in tensor_text(np.arange(5000))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"precision": -1}, "precision=-1 is not a whole number of at least 0"),
        ({"precision": 2.5}, "precision=2.5 is not a whole number of at least 0"),
        ({"precision": True}, "precision=True is not a whole number of at least 0"),
        ({"edgeitems": -3}, "edgeitems=-3 is not a whole number of at least 0"),
        ({"linewidth": 0}, "linewidth=0 is not a number of at least 1"),
        ({"threshold": "all"}, "threshold='all' is not a number of at least 0"),
        ({"threshold": np.nan}, "threshold=nan is not a number of at least 0"),
        ({"sci_mode": "yes"}, "sci_mode='yes' is not True, False or None"),
    ],
)
def test_wrong_options(options: dict[str, Any], what: str) -> None:
    with pytest.raises(AttributeValueError) as caught:
        set_printoptions(**{"precision": 7, **options})
    first, where = str(caught.value).splitlines()
    assert first == f"set_printoptions: {what}"
    assert re.fullmatch(r"  at test_tensor_printing.py:\d+ in test_wrong_options", where)
    assert get_printoptions() == DEFAULTS  # nothing was set


def test_wrong_profile() -> None:
    with pytest.raises(AttributeValueError) as caught, printoptions(profile="long"):
        pass
    first, where, hint = str(caught.value).splitlines()
    assert first == "set_printoptions: no profile 'long'"
    assert re.fullmatch(r"  at test_tensor_printing.py:\d+ in test_wrong_profile", where)
    assert hint == "  hint: the profiles are 'default', 'short' and 'full'"

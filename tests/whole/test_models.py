"""Models of PyTorch's API train as PyTorch does: losses, gradients, parameters after the steps.

What PyTorch computes in float64 is recorded (`tests/models/record.py`). In float64 everything
agrees to seven digits. In float32 losses agree to four digits, gradients and changes of parameters
to a part in a thousand of their length.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from models.training import NAMES, expected, load, summary, train

import graphc as gc

slow = pytest.mark.slow
COMPILED = functools.partial(gc.jit.compile, keep_grads=True)
KINKS = ("mobilenet", "unet")
TOLERANCE = {"float64": (1e-7, 1e-7), "float32": (1e-4, 1e-3)}


def _assert_pytorchs(name: str, small: bool, dtype: str, results: Any) -> None:
    found, wanted = summary(results), expected(name, small)
    for_losses, for_arrays = TOLERANCE[dtype]
    np.testing.assert_allclose(found["losses"], wanted["losses"], rtol=for_losses)
    for kind in ("gradients", "changes", "buffers"):
        assert found[kind].keys() == wanted[kind].keys()
        # A gradient that is zero but for rounding (a bias before a normalisation) is measured by
        # the others of its kind.
        longest = max((length for _, length in wanted[kind].values()), default=0.0)
        for key, (along, length) in wanted[kind].items():
            allowed = for_arrays * (length + 1e-2 * longest)
            np.testing.assert_allclose(
                found[kind][key], (along, length), rtol=0, atol=allowed, err_msg=f"{kind} of {key}"
            )


def _small(*default: str) -> list[Any]:
    """All models; those that the default run leaves out are slow."""
    return [n if n in default else pytest.param(n, marks=slow) for n in NAMES]


@pytest.mark.parametrize("name", _small("resnet"))
def test_a_small_model_trains_compiled(name: str) -> None:
    results = train(load(name), gc, True, "float64", COMPILED)
    _assert_pytorchs(name, True, "float64", results)


@pytest.mark.parametrize("name", _small("language", "diffusion"))
def test_a_small_model_trains_eagerly(name: str) -> None:
    _assert_pytorchs(name, True, "float64", train(load(name), gc, True, "float64"))


@slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["eager", "compiled"])
def test_the_whole_model_trains(name: str, how: str) -> None:
    compiled = COMPILED if how == "compiled" else None
    dtype = "float64" if name in KINKS else "float32"
    results = train(load(name), gc, False, dtype, compiled)
    _assert_pytorchs(name, False, dtype, results)


@pytest.mark.parity
@slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_recorded_is_what_pytorch_computes(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for small in (True, False):
        _assert_pytorchs(
            name, small, "float64", train(load(name, torch=True), torch, small, "float64")
        )

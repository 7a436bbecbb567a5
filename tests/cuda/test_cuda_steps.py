"""Programs of target "cuda" end to end on a fake GPU: kernels for threads, PTX, captured graphs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda_steps import STEPS
from fake_cuda import Fake, fresh

import graphc as gc
from graphc.errors import AttributeValueError, IndexRangeError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import compile, on_device
from graphc.runtime.cuda.emulate import emulated
from graphc.runtime.objects import loader


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A driver that finds, for each kernel that is loaded, the emulation of the same text."""
    real = on_device.OnDevice.image

    def image(self: on_device.OnDevice, kernel: Kernel) -> tuple[str, bytes]:
        name, text = real(self, kernel)
        of = Fake(Path(self.device.driver.library._name))
        address = loader.load([emulated(kernel)])[0]
        of.register(name, address, compile.words_of(kernel), compile.threads_of(kernel))
        return name, text

    monkeypatch.setattr(on_device.OnDevice, "image", image)
    with fresh() as found:
        yield found


def _compiled(name: str, target: str) -> tuple[Any, list[np.ndarray]]:
    inputs, outputs, updates, batch = STEPS[name]()
    return gc.compile(inputs, outputs, updates=updates, target=target), batch


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in STEPS if name != "embed"]


@pytest.mark.parametrize("name", ["embed", *SLOW])
def test_training_steps_are_those_of_the_cpu(fake: Fake, name: str) -> None:
    (ours, batch), (theirs, _) = _compiled(name, "cuda"), _compiled(name, "cpu")
    for _ in range(3):
        np.testing.assert_allclose(ours(*batch)[0], theirs(*batch)[0], rtol=2e-5)
    # Adam divides by the square root of a mean of squares, which magnifies rounding at zero.
    near = 2e-3 if name == "block" else 2e-6
    expected = theirs.state()
    for key, value in ours.state().items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-4, atol=near, err_msg=key)
    assert all(".target sm_90" in text for text in ours.ptx().values())


def test_an_index_out_of_range_leaves_the_state_and_the_program_goes_on(fake: Fake) -> None:
    step, batch = _compiled("embed", "cuda")
    step(*batch)
    before = step.state()
    bad = batch[0].copy()
    bad[2, 3] = -99
    with pytest.raises(IndexRangeError, match="-99 is out of range for an axis of size 50"):
        step(bad, batch[1])
    for key, value in step.state().items():
        np.testing.assert_array_equal(value, before[key])
    step(*batch)


def test_without_a_gpu_the_target_says_why() -> None:
    with gc.config.override(cuda_driver="/no/such/library"):
        x = gc.input("x", (3,))
        with pytest.raises(AttributeValueError, match="'cuda' cannot be used here: there is no CU"):
            gc.compile([x], x * 2.0, target="cuda")


def test_a_device_newer_than_every_known_one_gets_the_newest_kernels() -> None:
    assert on_device.arch_for(9, 0) == "sm_90" and on_device.arch_for(8, 7) == "sm_86"
    assert on_device.arch_for(12, 1) == "sm_120" and on_device.arch_for(13, 0) == "sm_120"
    with pytest.raises(AttributeValueError):
        compile.check_arch(on_device.arch_for(5, 0))

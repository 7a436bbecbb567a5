"""The corpus of `tests/programs`, by every road, against NumPy and differences in float64.

By default every program is lowered and its kernels run as plain Python over garbage memory, and
some are compiled. The rest of the matrix is slow: levels, symbolic sizes, float32, large sizes,
tensors eager and compiled, JAX.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import programs
import pytest
from programs import compare
from programs.corpus import PROGRAMS, Program

import graphc as gc

for module in pkgutil.iter_modules(programs.__path__):
    importlib.import_module(f"programs.{module.name}")

slow = pytest.mark.slow
every = pytest.mark.parametrize("name", PROGRAMS)
# These are compiled by default; loops are not run by `lowering.run_lowered`.
COMPILED = [
    "softmax_regression_with_penalised_bias", "long_short_term_memory", "message_passing",
    "causal_multi_head", "adam_step", "batch_norm_with_running_statistics",
]  # fmt: skip
LOOPS = {
    "epidemic_by_scan", "network_by_scan", "layer_norm_recurrence_by_scan",
    "connectionist_classification_by_scan", "delta_rule_memory_by_scan",
}  # fmt: skip


def _lowered(entry: Program, level: str, dtype: str, symbolic: bool) -> Any:
    if entry.name in LOOPS:
        return compare.compiled(entry, level, dtype, symbolic, entry.small)
    return compare.in_python(entry, level, dtype, symbolic, entry.small)


@every
def test_lowered(name: str) -> None:
    """Also that the program has something to differentiate."""
    entry = PROGRAMS[name]
    _, slopes = compare.reference(name)
    assert any(abs(slope).max() > 1e-6 for slope in slopes.values())
    compare.assert_equal(entry, _lowered(entry, "O2", "float64", True))


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name: str) -> None:
    entry = PROGRAMS[name]
    found = compare.compiled(entry, "O2", "float32", True, entry.small)
    compare.assert_equal(entry, found, "float32")


@pytest.mark.parametrize(
    "name", [n if n in COMPILED[:1] else pytest.param(n, marks=slow) for n in PROGRAMS]
)
def test_compiled_from_tensors(name: str) -> None:
    entry = PROGRAMS[name]
    run = gc.jit.compile(compare.as_step(entry))
    compare.assert_equal(entry, compare.by_step(entry, run, "float64", entry.small))


@slow
@every
@pytest.mark.parametrize("level", ["O0", "O1", "O2", "O3"])
def test_compiled_at_every_level(name: str, level: str) -> None:
    entry = PROGRAMS[name]
    found = compare.compiled(entry, level, "float64", False, entry.small)
    compare.assert_equal(entry, found)


@slow
@pytest.mark.parametrize("name", [n for n, entry in PROGRAMS.items() if entry.symbolic])
def test_one_program_serves_two_sizes(name: str) -> None:
    entry = PROGRAMS[name]
    run = compare.for_any_size(entry, "O3", "float64")
    compare.assert_equal(entry, run(entry.small))
    compare.assert_equal(entry, run(entry.grown()), size="grown")


@slow
@every
def test_large_in_float32(name: str) -> None:
    entry = PROGRAMS[name]
    found = compare.compiled(entry, "O2", "float32", True, entry.large, threads=2)
    compare.assert_equal(entry, found, "float32", "large")


@slow
@every
def test_eager(name: str) -> None:
    entry = PROGRAMS[name]
    step = compare.as_step(entry)
    compare.assert_equal(entry, compare.by_step(entry, step, "float64", entry.small))


@slow
@every
def test_the_references_agree(name: str) -> None:
    """NumPy's differences and JAX's derivatives are one: the corpus itself is right."""
    pytest.importorskip("jax", reason="JAX is not installed")
    entry = PROGRAMS[name]
    compare.assert_equal(entry, compare.by_jax(entry, entry.small))

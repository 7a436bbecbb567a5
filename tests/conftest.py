"""What all tests share: a kernel cache of their own, graphs verified after every pass,
memory filled with a pattern before every call; and which tests are the quick ones."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent


def _cache() -> Path:
    """Beside the tests, unless another user owns the checkout: code from there isn't run."""
    if os.name == "posix" and ROOT.stat().st_uid not in (0, os.geteuid()):
        return Path(tempfile.gettempdir()) / f"graphc-tests-{os.geteuid()}"
    return ROOT / ".pytest_cache" / "kernels"


# Set before graphc is imported, and inherited by pytest-xdist's workers and by subprocesses.
os.environ.setdefault("GRAPHC_CACHE_DIR", str(_cache()))
os.environ.setdefault("GRAPHC_CHECK", "1,poison")

# Files that sample every part and compile little.
QUICK = {
    "test_cse", "test_dce", "test_dims", "test_driver", "test_eager_errors", "test_errors",
    "test_dumps", "test_fold", "test_gates", "test_grad", "test_import", "test_layers",
    "test_lbfgs", "test_movement", "test_nn_containers", "test_nn_hooks", "test_nn_module",
    "test_nn_state", "test_nn_text", "test_plan", "test_program", "test_schedule",
    "test_simplify", "test_storage", "test_tensor_python", "test_text", "test_types",
    "test_verify", "test_walk", "test_walks",
}  # fmt: skip


# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity", action="store_true", help="a test marked parity that is skipped fails"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--parity") and importlib.util.find_spec("torch") is None:
        raise pytest.UsageError("--parity needs PyTorch: install the extra, '.[test,parity]'")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in QUICK and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.quick)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    is_parity = item.get_closest_marker("parity") is not None
    if report.skipped and is_parity and item.config.getoption("--parity"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although --parity was given: {report.longrepr}"
    return report

"""A CUDA driver without a GPU: `tests/cuda/fakecuda.c`, built once, a fresh one for each test."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import graphc as gc
from graphc.core.ir import Graph
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import driver
from graphc.runtime.cuda.program import CudaExecutable, Row
from graphc.runtime.lower import Native, lower
from graphc.runtime.machine.control import lower_control
from graphc.runtime.objects import loader
from graphc.runtime.targets import Cpu

SOURCE = Path(__file__).resolve().parent.parent / "cuda" / "fakecuda.c"


@functools.cache
def _built() -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("the fake CUDA driver is C, and there is no C compiler (cc)")
    path = Path(tempfile.mkdtemp()) / "fakecuda.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(path), str(SOURCE), "-lpthread"]
    subprocess.run(command, check=True)
    return path


class Fake:
    """One fake driver; its state is its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.library = ctypes.CDLL(str(path))
        self.library.fake_count.restype = self.library.fake_used.restype = ctypes.c_long
        self.library.fake_register.argtypes = [
            ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int,
        ]  # fmt: skip

    def set(self, **facts: int) -> None:
        """Devices, memory, version, record: see the source."""
        for name, value in facts.items():
            self.library.fake_set(name.encode(), ctypes.c_long(value))

    def fail(self, name: str, code: int, nth: int = 1, times: int = 1) -> None:
        """Let the nth call from now of a function, or the nth kernel, fail; and some after it."""
        self.library.fake_fail(name.encode(), code, nth, times)

    def count(self, name: str) -> int:
        """Calls of a function so far."""
        return self.library.fake_count(name.encode())

    @property
    def used(self) -> int:
        """Bytes of device memory in use."""
        return self.library.fake_used()

    def register(self, name: str, address: int, parameters: int, threads: int = 0) -> bytes:
        """Have a kernel of this name; the image that says so."""
        self.library.fake_register(name.encode(), address, parameters, threads)
        return image(name, parameters)


def image(name: str, parameters: int, version: str = "8.0") -> bytes:
    """Text like PTX, with one entry."""
    listed = ", ".join(f".param .u64 p{k}" for k in range(parameters))
    return f".version {version}\n.target sm_90\n.visible .entry {name}({listed})".encode()


@contextmanager
def fresh() -> Iterator[Fake]:
    """A fake driver that nobody has used, in force meanwhile."""
    path = Path(tempfile.mkdtemp()) / "libcuda.so.1"
    shutil.copy(_built(), path)
    with gc.config.override(cuda_driver=str(path)):
        yield Fake(path)


class _Unrolled(Native):
    control = staticmethod(lower_control)


class OnHost(CudaExecutable):
    """The CPU's kernels where those of a GPU would be: what is tested is all but kernels."""

    def _load(self, rows: Sequence[Row]) -> None:
        widths: dict[Kernel, set[int]] = {}
        for kernel, first, last, *_ in rows:
            widths.setdefault(kernel, set()).add(last - first)
        self.widths: dict[Kernel, int] = {}
        own: list[Row] = []
        for kernel, first, last, _, *rest in rows:
            # A kernel of a device has one number of parameters.
            if len(widths[kernel]) > 1 and kernel.language == "kernel":
                name = f"{kernel.name}_{last - first}"
                kernel = replace(kernel, name=name, source=kernel.source.replace(kernel.name, name))
            self.widths[kernel] = last - first
            own.append((kernel, first, last, 32, rest[0], rest[1]))
        super()._load(own)

    def image(self, kernel: Kernel) -> tuple[str, bytes]:
        fake = Fake(Path(self.device.driver.library._name))
        address = loader.load([kernel])[0]
        return kernel.name, fake.register(kernel.name, address, self.widths[kernel], 32)


class HostKernels(Cpu):
    """The target of `OnHost`."""

    name = "cuda_host"

    def refusal(self) -> str:
        try:
            driver.load()
        except gc.errors.DeviceError as error:
            return error.what
        return ""

    def program(self, graph: Graph, threads: int | None) -> OnHost:
        return OnHost(graph, lower(graph, _Unrolled()), threads)

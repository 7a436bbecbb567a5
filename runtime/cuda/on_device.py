"""Programs on a GPU that is there: kernels compiled for it."""

from __future__ import annotations

from graphc.core.ir import Graph
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import compile
from graphc.runtime.cuda.lowering import CUDA
from graphc.runtime.cuda.program import CudaExecutable
from graphc.runtime.cuda.target import ForDevices
from graphc.runtime.lower import lower


def arch_for(major: int, minor: int) -> str:
    """The newest architecture that kernels can be made for and a device runs."""
    known = {int(arch.removeprefix("sm_")): arch for arch in compile.VERSIONS}
    fits = [number for number in known if number <= 10 * major + minor]
    return known[max(fits)] if fits else f"sm_{major}{minor}"


class OnDevice(CudaExecutable, ForDevices):
    """A program of one GPU, its kernels made by `compile`."""

    @property
    def arch(self) -> str:
        """What its kernels are made for."""
        found = self.device.properties
        return arch_for(found.major, found.minor)

    def image(self, kernel: Kernel) -> tuple[str, bytes]:
        """See `CudaExecutable.image`."""
        return compile.entry_name(kernel), compile.ptx(kernel, self.arch)


def program(graph: Graph, threads: int | None) -> OnDevice:
    """A program on the current GPU."""
    return OnDevice(graph, lower(graph, CUDA), threads)


__all__ = ["OnDevice", "arch_for", "program"]

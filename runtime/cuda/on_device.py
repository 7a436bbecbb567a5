"""Programs on a GPU that is there: kernels compiled for it."""

from __future__ import annotations

from graphc.core.ir import Graph
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import compile
from graphc.runtime.cuda.lowering import CUDA
from graphc.runtime.cuda.program import CudaExecutable
from graphc.runtime.cuda.target import Emulated
from graphc.runtime.lower import lower


def arch_for(major: int, minor: int) -> str:
    """The newest architecture that kernels can be made for and a device runs."""
    known = {int(arch.removeprefix("sm_")): arch for arch in compile.VERSIONS}
    fits = [number for number in known if number <= 10 * major + minor]
    return known[max(fits)] if fits else f"sm_{major}{minor}"


class OnDevice(CudaExecutable):
    """A program of one GPU, its kernels made by `compile`."""

    @property
    def arch(self) -> str:
        """What its kernels are made for."""
        found = self.device.properties
        return arch_for(found.major, found.minor)

    def image(self, kernel: Kernel) -> tuple[str, bytes]:
        """See `CudaExecutable.image`."""
        return compile.entry_name(kernel), compile.ptx(kernel, self.arch)

    def emulation(self) -> Emulated:
        """The same program on the CPU."""
        return Emulated(self.graph, self.steps, self.threads)

    def ptx(self) -> dict[str, str]:
        """The PTX of each kernel that a device runs, by its name."""
        found = dict.fromkeys(k for k in self.loaded if k.language == compile.LANGUAGE)
        return {k.name: compile.ptx(k, self.arch).decode() for k in found}


def program(graph: Graph, threads: int | None) -> OnDevice:
    """A program on the current GPU."""
    return OnDevice(graph, lower(graph, CUDA), threads)


__all__ = ["OnDevice", "arch_for", "program"]

"""The target "cuda" where no device is: kernels and PTX are made, and run in emulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from graphc.core.ir import Graph
from graphc.errors import UnsupportedError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.cuda import compile
from graphc.runtime.cuda.emulate import emulated
from graphc.runtime.cuda.lowering import CUDA
from graphc.runtime.lower import lower
from graphc.runtime.machine.call import Call, Slot
from graphc.runtime.machine.executable import Executable
from graphc.runtime.objects import loader

# The address of a kernel that nothing calls; the machine refuses 0.
NOWHERE = 1


class Emulated(Executable):
    """A program for CUDA devices whose kernels run on the CPU, block by block."""

    def _addresses(self, kernels: Sequence[Kernel]) -> Sequence[int]:
        return loader.load([emulated(kernel) for kernel in kernels])


class ForDevices(Executable):
    """A program of kernels for CUDA devices, as it is looked into."""

    @property
    def arch(self) -> str:
        """The architecture that PTX is made for."""
        raise NotImplementedError

    def emulation(self) -> Emulated:
        """The same program on the CPU."""
        return Emulated(self.graph, self.steps, self.threads)

    def ptx(self) -> dict[str, str]:
        """The PTX of each kernel that a device runs, by its name."""
        found = dict.fromkeys(k for k in self.loaded if k.language == compile.LANGUAGE)
        return {k.name: compile.ptx(k, self.arch).decode() for k in found}


class Offline(ForDevices):
    """A program for CUDA devices that is looked into, not run; arguments as of `Executable`."""

    arch = ""

    def _addresses(self, kernels: Sequence[Kernel]) -> Sequence[int]:
        return [NOWHERE] * len(kernels)

    def _frame(self, slot: Slot, call: Call) -> NoReturn:
        """Refuse to be made ready to run.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            f"{self.graph.name}: it is compiled for {self.arch}, with no device to run it",
            hint="program.emulate(...) runs its kernels on the CPU",
        )


@dataclass(unsafe_hash=True)
class Target:
    """CUDA devices of an architecture, for `compile(target=...)`; none has to be there.

    Args:
        arch: such as "sm_90".

    Raises:
        AttributeValueError: there is no such architecture.

    Example:
        >>> import graphc as gc
        >>> import numpy as np
        >>> x = gc.input("x", (3,))
        >>> program = gc.compile([x], x * 2.0, target=gc.cuda.Target(arch="sm_90"))
        >>> program.emulate(np.ones(3, np.float32))
        array([2., 2., 2.], dtype=float32)
        >>> (text,) = program.ptx().values()
        >>> ".target sm_90" in text
        True
    """

    arch: str = "sm_90"
    name: str = field(default="cuda", init=False)
    is_optimized: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        compile.check_arch(self.arch)

    def refusal(self) -> str:
        """Nothing is missing: what it makes is not run here.

        Example:
            >>> import graphc as gc
            >>> gc.cuda.Target("sm_80").refusal()
            ''
        """
        return ""

    def program(self, graph: Graph, threads: int | None) -> Offline:
        """A program to be looked into; see `Offline`. `compile` calls it.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> graph = gc.Graph.of("double", [x], [x * 2.0])
            >>> (text,) = gc.cuda.Target("sm_80").program(graph, None).ptx().values()
            >>> ".target sm_80" in text
            True
        """
        found = Offline(graph, lower(graph, CUDA), threads)
        found.arch = self.arch
        return found

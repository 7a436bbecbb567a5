"""The target "cuda" of a machine with a GPU; what compiles for it is imported when it has to."""

from __future__ import annotations

from importlib import import_module

from graphc.core.ir import Graph
from graphc.runtime.cuda import device as devices
from graphc.runtime.targets import Runnable


class Cuda:
    """The GPU that a thread has chosen, see `gc.cuda.set_device`."""

    name = "cuda"
    is_optimized = True

    def refusal(self) -> str:
        """Why there is none; "" where there is one."""
        return devices.refusal()

    def program(self, graph: Graph, threads: int | None) -> Runnable:
        """A program on the current GPU."""
        found: Runnable = import_module("graphc.runtime.cuda.on_device").program(graph, threads)
        return found


__all__ = ["Cuda"]

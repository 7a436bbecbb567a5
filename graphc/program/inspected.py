"""What a program shows of itself: kernels, plan, memory, figures, times, a contract, files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import viz
from graphc.errors import ArgumentError, UnsupportedError
from graphc.program import contract, dumping, explaining, report
from graphc.program.build import planned
from graphc.program.explaining import Explanation
from graphc.program.memory import MemoryUse
from graphc.program.profiling import Profile
from graphc.program.report import Stats

if TYPE_CHECKING:
    from graphc.core.ir import Graph
    from graphc.program.build import Build
    from graphc.runtime.machine.call import Call
    from graphc.runtime.targets import Runnable


class Inspected:
    """A program as it is looked into; see `Program` for how it is called."""

    graph: Graph
    _build: Build
    _executable: Runnable
    _last_sizes: dict[str, int]
    _profiled: Profile | None = None
    _emulation: Any = None

    if TYPE_CHECKING:

        def _arrays(self, args: Sequence[Any], named: Any) -> list[np.ndarray]: ...
        def _bound(self, arrays: Sequence[np.ndarray]) -> Call: ...

    @property
    def kernels(self) -> dict[str, str]:
        """The generated source of every kernel, by name.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> (source,) = gc.compile([x], gc.exp(x)).kernels.values()
            >>> "exp(" in source
            True
        """
        return dict(self._executable.kernels)

    def ptx(self) -> dict[str, str]:
        """The PTX of every kernel, by name; see `graphc.cuda.Target`.

        Raises:
            UnsupportedError: the program is not compiled for CUDA devices, or a kernel needs what
                they don't have.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> program = gc.compile([x], x * 2.0, target=gc.cuda.Target(arch="sm_80"))
            >>> [".target sm_80" in text for text in program.ptx().values()]
            [True]
        """
        return self._made_for_devices().ptx()

    def emulate(self, *args: Any, out: Any = None, **named: Any) -> Any:
        """As a call, with kernels for CUDA devices run on the CPU, block by block.

        Args:
            args, out, named: as in a call.

        Raises:
            UnsupportedError: the program is not compiled for CUDA devices.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (2,))
            >>> gc.compile([x], x * 2.0, target=gc.cuda.Target()).emulate([1.0, 2.0])
            array([2., 4.], dtype=float32)
        """
        if self._emulation is None:
            executable = self._made_for_devices().emulation()
            build = replace(self._build, executable=executable, memory=planned(executable))
            kind: Any = type(self)
            self._emulation = kind(build)
        return self._emulation(*args, out=out, **named)

    def _made_for_devices(self) -> Any:
        if not hasattr(self._executable, "emulation"):
            raise UnsupportedError(
                f"{self.graph.name}: it is not compiled for CUDA devices",
                hint='compile it with target=gc.cuda.Target(arch="sm_90")',
            )
        return self._executable

    @property
    def plan(self) -> str:
        """Steps and memory, as text.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> print(gc.compile([x], x * 2.0).plan.splitlines()[-1])
            arena: 0 B; without planning 0 B
        """
        return report.plan(self._build, self._sizes())

    @property
    def stats(self) -> Stats:
        """Nodes before and after each pass, kernels, memory, compile time.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.compile([x], gc.exp(x) * 2.0).stats.kernels
            1
        """
        return Stats.of(self._build, self._sizes())

    def memory(self, **sizes: int) -> MemoryUse:
        """The memory of intermediate results: the pair of the arena's bytes and, without planning,
        of all of them; where each lies, and when; what lives at the peak.

        Args:
            sizes: the sizes of symbolic dimensions; those of the last call unless given.

        Example:
            >>> import graphc as gc
            >>> n = gc.dim("n")
            >>> x = gc.input("x", (n, n))
            >>> program = gc.compile([x], gc.tanh(gc.tanh(gc.tanh(x @ x) @ x) @ x) @ x)
            >>> arena, apart = program.memory(n=100)
            >>> apart, arena < apart
            (120000, True)
        """
        return MemoryUse.of(self._build, {**self._sizes(), **sizes})

    def report(self, path: str | PathLike[str] | None = None) -> str:
        """What the compiler did: in some ten lines, or as a page.

        Args:
            path: a file such as "report.html". The page needs no network; it shows the graph after
                each pass, the rules that fired, kernels with their source, memory against time,
                and the last profile, if there was one.

        Returns:
            The lines.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> print(gc.compile([x], x * 2.0).report("report.html").splitlines()[0])
            program: 1 inputs and parameters
        """
        if path is not None:
            import_module("graphc.program.film").write(self, Path(path))
        return report.summary(self._build, self._sizes())

    def explain(self, *args: Any, **named: Any) -> Explanation:
        """Each kernel with bytes and operations, what stays apart and why, copies, memory.

        Args:
            args: inputs, as in a call. With them, or after `profile`, kernels have their times
                too, and shares of what the machine's memory and processor can do.
            named: inputs by name.

        Returns:
            The text, with the figures in `to_dict()`.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> print(gc.compile([x], gc.exp(x) * 2.0).explain().splitlines()[0])
            program: 1 steps
        """
        if args or named:
            self.profile(*args, **named)
        return explaining.explain(self._build, self._sizes(), self._profiled)

    def profile(self, *args: Any, repeat: int = 10, **named: Any) -> Profile:
        """The time that each kernel takes.

        Args:
            args: inputs, as in a call.
            repeat: runs, of which the fastest counts; parameters keep their values.
            named: inputs by name.

        Returns:
            The times; print them, or save them as a trace.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> times = gc.compile([x], x * 2.0).profile(np.ones(3, np.float32))
            >>> len(times.rows)
            1
        """
        if not self._executable.is_native:
            raise ArgumentError(f"{self.graph.name} runs the reference, which has no kernels")
        call = self._bound(arrays := self._arrays(args, named))
        results = [np.empty(shape, dtype) for shape, dtype in call.outputs]
        times, wall = self._executable.profile(call, [*arrays, *results], repeat)
        self._profiled = Profile.of(self.graph.name, self._executable, times, wall)
        return self._profiled

    def require(
        self,
        *,
        kernels: int | str | None = None,
        peak_bytes: int | str | None = None,
        copies: int | str | None = None,
        fused: Iterable[Iterable[str]] = (),
        no_dtype: str | Iterable[str] | None = None,
        **sizes: int,
    ) -> None:
        """Fail unless the program is as it should be: for tests of a user's own.

        Args:
            kernels: how many run in a call: a number, or "<=3".
            peak_bytes: of the arena: a number, or "<=64MiB".
            copies: how many steps only move elements.
            fused: groups of ops, by `gc.named` or by op, each of which is in one kernel.
            no_dtype: dtypes in which nothing is computed, such as "float64".
            sizes: the sizes of symbolic dimensions; those of the last call unless given.

        Raises:
            ContractError: it is not; the message has what `explain` says of it.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (64,))
            >>> program = gc.compile([x], gc.softmax(x, axis=-1))
            >>> program.require(kernels=1, peak_bytes="<=1kB", copies=0, fused=[("exp", "sum")])
        """
        known = {**self._sizes(), **sizes}
        contract.require(
            self._build, known, explaining.explain(self._build, known), kernels=kernels,
            peak_bytes=peak_bytes, copies=copies, fused=fused, no_dtype=no_dtype,
        )  # fmt: skip

    def dump(self, folder: str | Path) -> Path:
        """Write every pass's graph (text and dot), the kernels' source and the memory plan.

        Args:
            folder: created when it isn't there.

        Returns:
            The folder.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> folder = gc.compile([x], x * 2.0).dump("out")
            >>> (folder / "plan.txt").exists(), (folder / "final.svg").exists()
            (True, True)
        """
        return dumping.dump(self._build, self._sizes(), Path(folder))

    def save(self, path: Any, *, native: bool = False, certificate: Any = None) -> None:
        """Write the program with its parameters to an archive: see `gc.jit.save`.

        Example:
            >>> import graphc as gc
            >>> x = gc.input("x", (3,))
            >>> gc.compile([x], x * 2.0, name="double").save("double.gcz")
            >>> gc.jit.load("double.gcz").name
            'double'
        """
        import_module("graphc.jit").save(self, path, native=native, certificate=certificate)

    _repr_svg_ = viz.svg  # what a notebook shows of it

    def __reduce__(self) -> Any:
        """A pickle holds the archive that `save` writes; a copy has parameters of its own."""
        return import_module("graphc.jit").archive.archive.packed(self)

    def _sizes(self) -> dict[str, int]:
        return {**report.example_sizes(self.graph), **self._last_sizes}


__all__ = ["Inspected"]

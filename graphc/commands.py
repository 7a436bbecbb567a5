"""What the commands of `graphc` do: each gives a text, figures that JSON holds, an exit status."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc import cuda, text, viz
from graphc.core.ir import Graph, tensor_type
from graphc.core.trees import flatten
from graphc.debug import diff
from graphc.errors import ArgumentError, MissingFileError
from graphc.jit import load
from graphc.ops.sampling import sample_arrays
from graphc.ops.source import Bound
from graphc.program.costs import host
from graphc.program.driver import compile
from graphc.program.explaining import flops_text
from graphc.program.report import example_sizes, nbytes_text, time_text
from graphc.runtime.base import target
from graphc.runtime.objects import cache
from graphc.version import __version__

DEMO = """\
def demo(x: f32[256, 512], w: f32[512, 128]):
    v0: f32[256, 128] = matmul(x, w)
    v1: f32[256, 128] = tanh(v0)
    v2: f32[256, 128] = multiply(v1, v1)
    v3: f32[()] = sum(v2, axes=(0, 1))
    return v3
"""


class Done(NamedTuple):
    """What a command found: for people, for programs, for the shell."""

    shown: str
    data: Any = None
    status: int = 0


def show(options: argparse.Namespace) -> Done:
    """A picture, a page or the text of a graph."""
    path = _file(options.file)
    subject = text.parse(path.read_text()) if path.suffix == ".py" else _loaded(path)
    if options.out is None:
        graph = subject if isinstance(subject, Graph) else subject.history[-1][1]
        return Done(text.show(graph), {"text": text.show(graph)})
    return Done(f"written: {viz.dump(subject, options.out)}", {"written": str(options.out)})


def run(options: argparse.Namespace) -> Done:
    """One call of an archive."""
    program = _loaded(_file(options.file))
    leaves, _ = flatten(program(**_inputs(program, options)))
    arrays = {f"output_{k}": np.asarray(leaf) for k, leaf in enumerate(leaves)}
    lines = [f"{name}: {a.dtype}{list(a.shape)}" for name, a in arrays.items()]
    if options.out is not None:
        np.savez(options.out, **arrays)  # type: ignore[arg-type]
        lines.append(f"written: {options.out}")
    shapes = {name: {"dtype": str(a.dtype), "shape": list(a.shape)} for name, a in arrays.items()}
    return Done("\n".join(lines), shapes)


def explain(options: argparse.Namespace) -> Done:
    """What became one kernel, what did not and why."""
    found = _loaded(_file(options.file)).explain()
    return Done(found.rstrip(), found.to_dict())


def profile(options: argparse.Namespace) -> Done:
    """The time of each kernel, and shares of what the machine can do."""
    program = _loaded(_file(options.file))
    times = program.profile(**_inputs(program, options), repeat=options.repeat)
    lines = [str(times).rstrip()]
    if options.trace is not None:
        lines.append(f"written: {times.save(options.trace)}")
    if options.report is not None:
        program.report(options.report)
        lines.append(f"written: {options.report}")
    return Done("\n".join(lines), times.to_dict())


def difference(options: argparse.Namespace) -> Done:
    """Two archives beside each other; status 1 where they differ."""
    found = diff(_loaded(_file(options.file)), _loaded(_file(options.other)))
    lines = [str(found).rstrip()]
    if options.out is not None:
        lines.append(f"written: {found.save(options.out)}")
    return Done("\n".join(lines), found.to_dict(), int(bool(found)))


def bench(options: argparse.Namespace) -> Done:
    """The time of calls of an archive."""
    program = _loaded(_file(options.file))
    inputs = _inputs(program, options)
    program(**inputs)
    times = []
    for _ in range(options.repeat):
        start = time.perf_counter()
        program(**inputs)
        times.append(time.perf_counter() - start)
    figures = {"calls": len(times), "least_s": min(times), "median_s": statistics.median(times)}
    shown = f"{program.name}: {time_text(min(times))} at least, {time_text(figures['median_s'])} "
    return Done(f"{shown}in the middle of {len(times)} calls", figures)


def demo(options: argparse.Namespace) -> Done:
    """A small program compiled, explained, and shown as a page."""
    graph = text.parse(DEMO)
    program = compile(list(graph.inputs), list(graph.outputs), name=graph.name)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(tensor_type(n).shape).astype(np.float32) for n in graph.inputs]
    found = program.explain(*arrays)
    program.report(options.out)
    return Done(f"{found}written: {options.out}", found.to_dict())


def cache_info(options: argparse.Namespace) -> Done:
    """What the cache of compiled kernels holds."""
    found = cache.info()
    state = "in use" if found.usable else f"not used: {found.reason}"
    lines = [
        f"folder:  {found.folder} ({state})",
        f"kernels: {found.entries}",
        f"bytes:   {nbytes_text(found.nbytes)} of {nbytes_text(found.cap)}",
    ]
    data = {"folder": found.folder, "usable": found.usable, "reason": found.reason,
            "kernels": found.entries, "bytes": found.nbytes, "cap": found.cap}  # fmt: skip
    return Done("\n".join(lines), data)


def cache_clear(options: argparse.Namespace) -> Done:
    """Empty the cache."""
    count = cache.clear()
    return Done(f"removed {_kernels(count)}", {"removed": count})


def cache_verify(options: argparse.Namespace) -> Done:
    """Read every kernel of the cache; status 1 where one is damaged. It is never used."""
    whole, damaged = cache.verify()
    shown = f"{_kernels(whole)} whole, {_kernels(len(damaged))} damaged"
    lines = [shown, *(f"  {name}" for name in damaged)]
    return Done("\n".join(lines), {"whole": whole, "damaged": damaged}, int(bool(damaged)))


def _kernels(count: int) -> str:
    return f"{count} {'kernel' if count == 1 else 'kernels'}"


def doctor(options: argparse.Namespace) -> Done:
    """Whether all that graphc needs is here and works; status 1 where it does not."""
    able, kept = host(), cache.info()
    whole, damaged = cache.verify()
    wrong = _self_test()
    names = ("numpy", "numba", "llvmlite", "scipy", "networkx", "safetensors", "ml_dtypes")
    versions = {name: metadata.version(name) for name in names}
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    data = {
        "graphc": __version__,
        "python": platform.python_version(),
        "packages": versions,
        "machine": target.identity().splitlines()[1],
        "threads": os.cpu_count(),
        "bandwidth": able.bandwidth,
        "peak": able.peak,
        "cuda": cuda.is_available(),
        "cache": {"folder": kept.folder, "usable": kept.usable, "reason": kept.reason,
                  "kernels": whole, "damaged": len(damaged)},
        "self_test": wrong or "right",
    }  # fmt: skip
    state = "in use" if kept.usable else f"not used: {kept.reason}"
    lines = [
        f"graphc:    {__version__}, Python {data['python']}",
        f"packages:  {packages}",
        f"machine:   {data['machine']}, {data['threads']} processors",
        f"bandwidth: {nbytes_text(able.bandwidth)}/s of memory, as measured now",
        f"peak:      {flops_text(able.peak)}/s of float32, as measured now by NumPy",
        f"CUDA:      {'there' if data['cuda'] else 'none'}",
        f"cache:     {kept.folder} ({state}), {_kernels(whole)}, {len(damaged)} damaged",
        f"self-test: {data['self_test']}",
    ]
    return Done("\n".join(lines), data, int(bool(wrong or damaged)))


def _self_test() -> str:
    """What is wrong with a program that is compiled now; "" where it is right."""
    graph = text.parse("def f(x: f32[9, 7]):\n    v0: f32[9, 7] = tanh(x)\n    return v0\n")
    values = np.linspace(-3, 3, 63, dtype=np.float32).reshape(9, 7)
    try:
        (found,) = compile(list(graph.inputs), list(graph.outputs))(values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    far = float(np.abs(found - np.tanh(values.astype(np.float64))).max())
    return "" if far < 1e-6 else f"tanh is wrong by {far:.3g}"


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise MissingFileError(f"there is no file {name!r:.80}")
    return path


def _loaded(path: Path) -> Any:
    found = load(path)
    program = found if hasattr(found, "history") else getattr(found, "program", None)
    if program is None:
        raise ArgumentError(f"{path.name} has several programs", hint="save one by itself")
    return program


def _inputs(program: Any, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """The arrays of `--input name=file.npy`; the others are drawn where a command allows it."""
    free = [node for node in program.graph.inputs if not isinstance(node, Bound)]
    given: dict[str, np.ndarray] = {}
    for entry in options.input or ():
        name, _, file = entry.partition("=")
        if name not in {node.name for node in free}:
            raise ArgumentError(
                f"there is no input {name!r:.40}",
                hint=f"--input NAME=FILE.npy, of {', '.join(n.name for n in free)}",
            )
        given[name] = np.load(_file(file), allow_pickle=False)
    if options.draws and len(given) < len(free):
        graph = program.graph
        drawn = dict(zip(graph.inputs, sample_arrays(graph, example_sizes(graph))))
        given = {**{node.name: drawn[node] for node in free}, **given}
    return given


COMMANDS: dict[str, Callable[[argparse.Namespace], Done]] = {
    "show": show, "run": run, "explain": explain, "profile": profile, "diff": difference,
    "bench": bench, "demo": demo, "doctor": doctor, "cache info": cache_info,
    "cache clear": cache_clear, "cache verify": cache_verify,
}  # fmt: skip

__all__ = ["COMMANDS", "Done"]

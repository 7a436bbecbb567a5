"""The benchmark: graphc beside its peers in one run; prints a table in Markdown.

    python tests/benchmarks/run.py [case ...]      # all cases without arguments

Needs the `bench` extra (torch, jax) for the peers; a peer that is not installed is named, and its
column stays empty. Every case runs in a process of its own; one-thread cases are pinned to one
processor. Outputs are compared with the peers' before anything is timed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ONE_THREAD = {"softmax", "layer_norm"}
TITLES = {
    "tiny": "training step, Linear(5,8)-ReLU-Linear(8,1)-Sigmoid, BCE, Adam, batch 10",
    "mlp": "training step, 784-512-256-10 MLP, cross-entropy, SGD, batch 64",
    "softmax": "softmax, 4096 x 1000, one thread",
    "layer_norm": "layer norm forward + backward, 4096 x 768, one thread",
    "chain": "ten elementwise ops, 10 million floats",
    "table_32": "training step, 32 rows of a table of 400,000 x 64, SGD (JAX: rows by hand)",
    "table_4096": "training step, 4096 rows of a table of 400,000 x 64, SGD (JAX: rows by hand)",
}
PEERS = ("torch eager", "torch.compile", "jax.jit")


def environment_with(**changes: str) -> dict[str, str]:
    """This process's environment, with bytecode cached as in a plain installation."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **changes}


def in_process(case: str) -> dict[str, float]:
    """Run one case in a process of its own."""
    environment = environment_with()
    command = [sys.executable, str(Path(__file__)), "--case", case]
    if case in ONE_THREAD:
        environment |= {"OMP_NUM_THREADS": "1", "GRAPHC_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"case {case} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_case(case: str) -> None:
    """Inside the case's process: run it and print its times as JSON."""
    if case in ONE_THREAD:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sys.path.insert(0, str(HERE))
    import cases
    import peers

    peers.use_threads(1 if case in ONE_THREAD else len(os.sched_getaffinity(0)))
    print(json.dumps(cases.CASES[case]()))


def seconds(command: list[str], environment: dict[str, str], runs: int) -> tuple[float, list[str]]:
    """The median wall time of a process, and what its runs printed."""
    times, printed = [], []
    for _ in range(runs):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        times.append(time.perf_counter() - start)
        printed.append(done.stdout.strip())
    return statistics.median(times), printed


def start_up() -> list[str]:
    """Import time beside NumPy's, and cold and warm processes to the first training step."""
    lines = []
    times: dict[str, list[float]] = {"numpy": [], "graphc": []}
    for _ in range(15):
        for module, samples in times.items():
            code = "import sys; assert 'numba' not in sys.modules"
            samples.append(seconds([sys.executable, "-c", f"import {module}; {code}"],
                                   environment_with(), 1)[0])  # fmt: skip
    plain, ours = (statistics.median(times[m]) for m in ("numpy", "graphc"))
    lines.append(f"| `import graphc` beyond `import numpy` | {1e3 * (ours - plain):.0f} ms |")
    script = [sys.executable, str(HERE / "first_step.py")]
    with tempfile.TemporaryDirectory() as folder:
        cold = []
        for k in range(3):
            environment = environment_with(GRAPHC_CACHE_DIR=f"{folder}/cache{k}")
            cold.append(seconds(script, environment, 1)[0])
        warm, printed = seconds(script, environment, 7)
        load = [sys.executable, str(HERE / "first_load.py"), f"{folder}/convnet.gcz"]
        environment = environment_with(GRAPHC_CACHE_DIR=f"{folder}/cache0")
        seconds([*load, "save"], environment, 1)
        seconds(load, environment, 1)
        loaded, told = seconds(load, environment, 7)
        printed += told
    assert all(line.startswith("False") for line in printed), "a warm process imported Numba"
    lines.append(f"| cold process to the first MLP step | {statistics.median(cold):.2f} s |")
    lines.append(f"| warm process to the first MLP step | {warm:.2f} s |")
    lines.append(f"| warm process that loads a saved ConvNet and runs it once | {loaded:.2f} s |")
    return lines


def memory() -> list[str]:
    """Peak memory of the ConvNet's training step at batch 256 against no planning."""
    sys.path.insert(0, str(HERE))
    import cases

    stats = cases.convnet_program(256)[0].stats
    peak, total = stats.peak_nbytes, stats.unplanned_nbytes
    return [
        f"| ConvNet step at batch 256: peak, against the sum of all intermediates | "
        f"{peak / 1e6:.0f} MB of {total / 1e6:.0f} MB ({peak / total:.0%}) |"
    ]


def show(time_s: float | None) -> str:
    """A time in a readable unit."""
    if time_s is None:
        return "not installed"
    return f"{time_s * 1e6:.1f} µs" if time_s < 1e-3 else f"{time_s * 1e3:.2f} ms"


def main() -> None:
    """Run the cases that are named (all without names) and print the table."""
    if sys.argv[1:2] == ["--case"]:
        run_case(sys.argv[2])
        return
    wanted = sys.argv[1:] or ["start", *TITLES, "memory"]
    sys.path.insert(0, str(HERE))
    import peers

    print(f"Python {sys.version.split()[0]}, {peers.versions()}, "
          f"{len(os.sched_getaffinity(0))} processors\n")  # fmt: skip
    print("| case | graphc | " + " | ".join(PEERS) + " | graphc / best peer |")
    print("|---|---|---|---|---|---|")
    notes = []
    for case in wanted:
        if case not in TITLES:
            continue
        times = in_process(case)
        found = [times[p] for p in PEERS if p in times]
        ratio = f"{times['graphc'] / min(found):.2f}" if found else "no peer"
        row = [show(times["graphc"]), *(show(times.get(p)) for p in PEERS), ratio]
        print(f"| {TITLES[case]} | " + " | ".join(row) + " |", flush=True)
        for name in times.keys() - {"graphc", *PEERS}:
            share = times[name] / times["graphc"]
            notes.append(f"| {case}: share of the bandwidth of `{name}` ({show(times[name])}) | "
                         f"{share:.0%} |")  # fmt: skip
    print("\n| figure | value |\n|---|---|")
    lines = start_up() if "start" in wanted else []
    print("\n".join([*sorted(notes), *lines, *(memory() if "memory" in wanted else [])]))


if __name__ == "__main__":
    main()

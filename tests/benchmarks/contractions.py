"""Matrix products and convolutions, kernel by kernel, on one thread, beside OpenBLAS and PyTorch.

    python tests/benchmarks/contractions.py [matmul] [conv]

Results are compared with NumPy's before anything is timed. PyTorch is used if it is installed.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from measure import paired

from graphc.runtime.base.step import evaluate
from graphc.runtime.contract.contraction import ContractionPlan, Operand, Scratch
from graphc.runtime.contract.conv_kernel import ConvSpec, lower_conv
from graphc.runtime.contract.matmul_kernel import MatmulSpec, lower_matmul
from graphc.runtime.objects import loader

NATIVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

# m, k, n; which operands are transposed in memory; batch.
PRODUCTS: list[tuple[tuple[int, int, int], str, tuple[int, ...]]] = [
    *(
        case
        for m, k, n in ((64, 784, 512), (64, 512, 256), (64, 256, 10))
        for case in (((m, k, n), "", ()), ((k, m, n), "x", ()), ((m, n, k), "y", ()))
    ),
    ((256, 256, 256), "", ()),
    ((512, 512, 512), "", ()),
    ((1024, 1024, 1024), "", ()),
    ((10, 5, 8), "", ()),
    ((128, 64, 128), "", ()),
    ((50176, 25, 16), "", ()),
    ((64, 32, 64), "", (32,)),
    ((1, 1024, 1024), "y", ()),
]
# n, channels, outputs, image, kernel, padding
CONVOLUTIONS = [
    (256, 1, 16, 28, 5, 2),
    (256, 16, 32, 14, 5, 2),
    (256, 1, 16, 8, 5, 2),
    (256, 16, 32, 8, 5, 2),
    (32, 64, 64, 56, 3, 1),
]


def runner(plan: ContractionPlan, operands: dict[str, np.ndarray]) -> Callable[[], None]:
    """A call of the plan's kernels, on one thread."""
    memory: dict[str, np.ndarray] = {}
    calls = []
    for call, address in zip(plan.calls, loader.load([call.kernel for call in plan.calls])):
        words = []
        for argument in call.args:
            if isinstance(argument, Operand):
                words.append(operands[argument.name].ctypes.data)
            elif isinstance(argument, Scratch):
                size = evaluate(argument.nbytes, {})
                words.append(memory.setdefault(argument.key, np.zeros(size, np.uint8)).ctypes.data)
            else:
                words.append(evaluate(argument.size, {}))
        args = np.array(words, np.int64)
        calls.append((NATIVE(address), args, args.ctypes.data, evaluate(call.extent, {})))

    def run() -> None:
        for function, _, args, extent in calls:
            function(args, 0, extent)

    run.memory = (memory, operands)  # type: ignore[attr-defined]
    return run


def report(name: str, flops: float, contenders: dict[str, Callable[[], object]]) -> None:
    """One line: time and rate of each contender."""
    times = paired(contenders, rounds=9, target_s=0.02)
    figures = (f"{who} {t * 1e6:10.2f} us {flops / t / 1e9:6.1f} GF" for who, t in times.items())
    print(f"{name:40}", " | ".join(figures), flush=True)


def products() -> None:
    """Matrix products beside NumPy's."""
    rng = np.random.default_rng(0)
    for (m, k, n), turned, batch in PRODUCTS:
        x = rng.standard_normal((*batch, *((k, m) if "x" in turned else (m, k)))).astype("f4")
        y = rng.standard_normal((*batch, *((n, k) if "y" in turned else (k, n)))).astype("f4")
        left = x.swapaxes(-1, -2) if "x" in turned else x
        right = y.swapaxes(-1, -2) if "y" in turned else y
        strides = [tuple(s // 4 for s in a.strides) for a in (left, right)]
        out, other = np.zeros((*batch, m, n), "f4"), np.zeros((*batch, m, n), "f4")
        plan = lower_matmul(MatmulSpec("f32", batch, m, n, k, *strides))
        run = runner(plan, {"x": x, "y": y, "out": out})

        def numpy(left: Any = left, right: Any = right, other: Any = other) -> None:
            np.matmul(left, right, out=other)

        run()
        numpy()
        np.testing.assert_allclose(out, other, rtol=1e-3, atol=1e-2)
        flops = 2.0 * m * n * k * int(np.prod(batch))
        report(
            f"matmul {batch or ''}{m}x{k}x{n} {turned}", flops, {"graphc": run, "OpenBLAS": numpy}
        )


def convolutions() -> None:
    """Convolutions and their gradients beside PyTorch's."""
    try:
        import torch
    except ImportError:
        torch = None  # type: ignore[assignment]
    if torch is not None:
        torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for n, channels, outputs, size, kernel, padding in CONVOLUTIONS:
        x = rng.standard_normal((n, channels, size, size)).astype("f4")
        w = rng.standard_normal((outputs, channels, kernel, kernel)).astype("f4")
        out_size = size + 2 * padding - kernel + 1
        y = rng.standard_normal((n, outputs, out_size, out_size)).astype("f4")
        flops = 2.0 * y.size * channels * kernel * kernel
        how = ((kernel,) * 2, (1, 1), (padding,) * 2, (1, 1), 1)
        kinds = {"conv": (x, w, y), "conv_input": (y, w, x), "conv_weight": (x, y, w)}
        for number, (kind, (left, right, like)) in enumerate(kinds.items()):
            out = np.zeros_like(like)
            spec = ConvSpec(kind, "f32", n, channels, outputs, (size, size), *how)
            contenders: dict[str, Callable[[], object]] = {
                "graphc": runner(lower_conv(spec), {"x": left, "y": right, "out": out})
            }
            if torch is not None:
                contenders["PyTorch"] = peer(torch, number, (x, w, y), padding)
                contenders["graphc"]()
                expected: Any = contenders["PyTorch"]()
                scale = np.sqrt(flops / out.size)
                np.testing.assert_allclose(out, expected.numpy(), rtol=1e-3, atol=1e-3 * scale)
            report(f"{kind} {n}x{channels}x{size}^2 {outputs} {kernel}^2", flops, contenders)


def peer(torch: Any, number: int, arrays: Any, padding: int) -> Callable[[], object]:
    """PyTorch's convolution (0), its input gradient (1) or its weight gradient (2)."""
    x, w, y = (torch.from_numpy(a) for a in arrays)
    if number == 0:
        return lambda: torch.nn.functional.conv2d(x, w, padding=padding)
    mask = [number == 1, number == 2, False]
    backward = torch.ops.aten.convolution_backward
    around = [padding, padding]
    return lambda: backward(y, x, w, None, [1, 1], around, [1, 1], False, [0, 0], 1, mask)[
        number - 1
    ]


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["matmul", "conv"]
    if "matmul" in chosen:
        products()
    if "conv" in chosen:
        convolutions()

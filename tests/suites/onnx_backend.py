"""ONNX's own backend cases through `gc.onnx.load`.

    python tests/suites/onnx_backend.py [--kind node,pytorch,simple] [--every N] [--only TEXT]
        [--target reference|cpu] [-v]

Each case's model is loaded, called with the case's inputs, and compared with its outputs. A case
passed, failed (a wrong value, or an error that is none of `UnsupportedError`), or is unsupported.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import glob
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import numpy_helper

import graphc as gc

SECONDS = 60


def node_cases() -> Iterator[tuple[str, Any, Any, float, float]]:
    """Name, model, data sets, tolerances."""
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        yield case.name, case.model, case.data_sets, case.rtol, case.atol


def stored_cases(kind: str) -> Iterator[tuple[str, Any, Any, float, float]]:
    """Cases that onnx keeps as files."""
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind=kind):
        model = onnx.load(os.path.join(case.model_dir or "", "model.onnx"))
        sets = []
        for folder in sorted(glob.glob(os.path.join(case.model_dir or "", "test_data_set_*"))):
            sets.append(
                tuple(
                    _values(folder, side, getattr(model.graph, side))
                    for side in ("input", "output")
                )
            )
        yield case.name, model, sets, case.rtol, case.atol


def _values(folder: str, side: str, infos: Any) -> list[Any]:
    found = []
    count = len(glob.glob(os.path.join(folder, f"{side}_*.pb")))
    for k, info in zip(range(count), infos):
        with open(os.path.join(folder, f"{side}_{k}.pb"), "rb") as file:
            data = file.read()
        kind = info.type.WhichOneof("value")
        proto: Any = {"sequence_type": onnx.SequenceProto, "optional_type": onnx.OptionalProto}.get(
            kind, onnx.TensorProto
        )()
        proto.ParseFromString(data)
        found.append(array(proto))
    return found


def array(value: Any) -> Any:
    """A value of a case as NumPy has it."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    return value


def cases(kinds: str) -> Iterator[Any]:
    """All cases of some kinds."""
    for kind in kinds.split(","):
        if kind == "node":
            yield from node_cases()
        elif kind == "pytorch":
            yield from stored_cases("pytorch-converted")
            yield from stored_cases("pytorch-operator")
        else:
            yield from stored_cases(kind)


def differs(found: Any, wanted: Any, rtol: float, atol: float) -> str:
    """How a value is not what is wanted; "" where it is."""
    if wanted is None or isinstance(wanted, list):
        if wanted is None:
            return "" if found is None else f"{found!r:.80} for None"
        if not isinstance(found, list) or len(found) != len(wanted):
            return f"{found!r:.80} for a list of {len(wanted)}"
        return next(filter(None, (differs(f, w, rtol, atol) for f, w in zip(found, wanted))), "")
    found, wanted = np.asarray(found), np.asarray(wanted)
    if wanted.dtype.kind in "OUS":
        same = found.shape == wanted.shape and [str(s) for s in found.flat] == [
            str(s) for s in wanted.flat
        ]
        return "" if same else f"{found.tolist()!r:.60} for {wanted.tolist()!r:.60}"
    if found.dtype != wanted.dtype:
        return f"dtype {found.dtype} for {wanted.dtype}"
    if found.shape != wanted.shape:
        return f"shape {found.shape} for {wanted.shape}"
    if wanted.dtype.kind in "biu":
        return (
            ""
            if np.array_equal(found, wanted)
            else f"{found.tolist()!r:.60} for {wanted.tolist()!r:.60}"
        )
    left, right = (v.astype(np.float64) for v in (found, wanted))
    if wanted.dtype in (np.float16, ml_dtypes.bfloat16):
        # Two units in the last place, for steps that round otherwise.
        rtol = max(rtol, 2 * float(ml_dtypes.finfo(wanted.dtype).eps))
    if np.allclose(left, right, rtol, max(atol, 1e-7), equal_nan=True):
        return ""
    off = np.nanmax(np.abs(left - right))
    return f"off by {off:.3g}: {found.reshape(-1)[:4]} for {wanted.reshape(-1)[:4]}"


class TookTooLong(Exception):
    """A case that takes longer than a minute."""


def _alarm(*_: Any) -> None:
    raise TookTooLong(f"over {SECONDS} s")


def run(case: Any, target: str) -> tuple[str, str]:
    """passed, failed or unsupported; and why."""
    name, model, sets, rtol, atol = case
    # What is drawn is compared in dtype and shape alone.
    is_drawn = any(w in name for w in ("bernoulli", "random", "training_dropout"))
    before = signal.signal(signal.SIGALRM, _alarm)
    try:
        signal.alarm(SECONDS)
        program = gc.onnx.load(model, target=target)
        for inputs, outputs in sets:
            results = program(*map(array, inputs))
            results = results if isinstance(results, tuple) else (results,)
            if len(results) < len(outputs):
                return "failed", f"{len(results)} outputs for {len(outputs)}"
            for found, wanted in zip(results, map(array, outputs)):
                if is_drawn:
                    found, wanted = np.zeros_like(found), np.zeros_like(wanted)
                if "dft" in name:  # what a transform of float32 rounds is of its largest value
                    atol = max(atol, float(np.finfo(np.float32).eps * np.abs(wanted).max()))
                why = differs(found, wanted, rtol, atol)
                if why:
                    return "failed", why
        return "passed", ""
    except gc.errors.UnsupportedError as error:
        return "unsupported", " ".join(error.details)[:150] or error.what
    except TookTooLong as error:
        return "failed", str(error)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Run the cases and print how they went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="node,pytorch,simple")
    parser.add_argument("--every", type=int, default=1, help="one case of so many")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--only", default="", help="cases with this in their names")
    parser.add_argument("--target", default="reference")
    parser.add_argument("-v", action="store_true", help="say why cases fail")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    faulthandler.enable()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    begin = time.perf_counter()
    for kind in arguments.kind.split(","):
        chosen = [c for c in cases(kind) if arguments.only in c[0]]
        for case in chosen[arguments.start :: arguments.every]:
            state, why = run(case, arguments.target)
            counts[kind][state] += 1
            if arguments.v and state != "passed":
                print(f"{state} {case[0]}: {why}", flush=True)
    for kind, found in counts.items():
        listed = ", ".join(f"{found[s]} {s}" for s in ("passed", "failed", "unsupported"))
        print(f"{kind}: {listed} of {sum(found.values())}")
    print(f"{time.perf_counter() - begin:.0f} s, target {arguments.target}", file=sys.stderr)


if __name__ == "__main__":
    main()

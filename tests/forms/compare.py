"""Running one form on both sides, and what counts as the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from .forms import DATA, namespace


class Outcome:
    """What a form gave: arrays and dtypes of its results and of what it changed; or an error."""

    def __init__(self, values: list[np.ndarray] | None, error: str = "") -> None:
        self.values = values
        self.error = error


def arrays(results: Any) -> list[np.ndarray]:
    """Results as arrays, containers flattened; what is no number as its text."""
    if isinstance(results, list | tuple) and type(results).__name__ != "Size":
        return [a for r in results for a in arrays(r)]
    if hasattr(results, "detach"):
        return [np.array(results.detach().numpy())]
    if isinstance(results, bool | int | float) or type(results).__name__ == "Size":
        return [np.asarray(results)]
    return [np.asarray(str(results).replace("torch.", "").replace("graphc.", ""))]


def evaluate(T: Any, text: str) -> Outcome:
    """The outcome of an expression; with it the first tensor, which it may have changed."""
    names = namespace(T, T.tensor)
    try:
        found = arrays(eval(text, names))
    except Exception as error:
        return Outcome(None, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:90]}")
    return Outcome(found + [arrays(names[n])[0] for n in _changed(text)])


def compiled(gc: Any, text: str) -> Outcome:
    """The outcome of an expression inside a compiled function of all its tensors."""
    names = [n for n in DATA if _uses(text, n)]
    if not names:
        return Outcome(None, "no tensor")
    frame = {"T": gc, "F": gc.nn.functional}
    function = eval(f"lambda {', '.join(names)}: {text}", frame)
    given = namespace(gc, gc.tensor)
    try:
        found = arrays(gc.jit.compile(function)(*(given[n] for n in names)))
    except Exception as error:
        return Outcome(None, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:90]}")
    return Outcome(found + [arrays(given[n])[0] for n in _changed(text)])


def _changed(text: str) -> list[str]:
    """The tensors that a form may write into."""
    in_place = {n for n in DATA if text.startswith(n + ".") and "_(" in text}
    return [n for n in DATA if n in in_place or f"out={n})" in text]


def _uses(text: str, name: str) -> bool:
    code = compile(text, "form", "eval")
    return name in code.co_names


def difference(want: list[np.ndarray], got: list[np.ndarray], half: bool = False) -> str:
    """What is different, or nothing; `half` says that float16 was computed with on the way."""
    if len(want) != len(got):
        return f"{len(want)} results, got {len(got)}"
    for k, (u, v) in enumerate(zip(want, got)):
        if u.shape != v.shape:
            return f"shape {u.shape}, got {v.shape}"
        if u.dtype.kind not in "US" and u.dtype != v.dtype:
            return f"dtype {u.dtype}, got {v.dtype}"
        if not _close(u, v, half) and not (k and _ties(want, got, k)):
            return f"values {_short(u)}, got {_short(v)}"
    return ""


def _close(u: np.ndarray, v: np.ndarray, half: bool) -> bool:
    if u.dtype.kind != "f":
        return bool((u == v).all())
    if half:  # sums round to 11 bits of their largest part
        return np.allclose(u, v, rtol=4e-3, atol=4e-3 * max(1.0, np.abs(u).max(initial=0)))
    rtol = 2e-3 if u.dtype == np.float16 else 1e-4
    return np.allclose(u, v, rtol=rtol, atol=1e-5, equal_nan=True)


def _ties(want: list[np.ndarray], got: list[np.ndarray], k: int) -> bool:
    """Whether indices name equal values: which of them PyTorch gives is in no set order."""
    return k == 1 and want[k].dtype == np.int64 and np.array_equal(want[0], got[0])


def _short(a: np.ndarray) -> str:
    return str(a.ravel()[:6].tolist())[:70]

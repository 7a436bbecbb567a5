"""Random numbers of many distributions whose parameters are eager tensors.

The functions are the graph's; eagerly they take a key from the default generator where none is
given, so that what they draw is known to be drawn.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from graphc.core.operators import FUNCTIONS
from graphc.eager.engine.dispatch import eager_form
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.generator import draw_key

DRAWING = (
    "beta", "categorical", "cauchy", "choice", "exponential", "gamma", "geometric", "gumbel",
    "laplace", "log_normal", "permutation", "poisson", "student_t", "uniform",
)  # fmt: skip


def _form(name: str) -> Callable[..., Any]:
    function = FUNCTIONS[name]
    plain = eager_form(name, function)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def form(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        if given["key"] is None and any(isinstance(v, Tensor) for v in given.values()):
            given["key"] = draw_key()
        return plain(*bound.args)

    return form


EAGER.update({name: _form(name) for name in DRAWING})

"""Transforms of functions, by PyTorch's names: derivatives, batches, modules as functions.

per_sample = gc.func.vmap(gc.func.grad(loss), in_dims=(None, 0, 0))

They compose in any order, take eager tensors and symbolic ones, and are passes over the graph that
the function makes: it is called once, with tensors that have no values.
"""

from graphc.func.derivatives import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)
from graphc.func.mapping import vmap
from graphc.func.modules import functional_call, stack_module_state

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "linearize", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

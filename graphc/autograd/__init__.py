"""Differentiation of eager code: `backward`, `grad`, modes, custom functions, checks.

with gc.no_grad(): ...
(dx,) = gc.autograd.grad(loss, x)
gc.autograd.gradcheck(f, x)
"""

from graphc.autograd import functional
from graphc.autograd.function import Function
from graphc.autograd.gradcheck import gradcheck, gradgradcheck
from graphc.eager.engine.backward import backward, grad
from graphc.eager.engine.mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from graphc.eager.engine.tensor import Tensor as Variable

__all__ = [
    "Function", "Variable", "backward", "enable_grad", "functional", "grad", "gradcheck",
    "gradgradcheck", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad",
    "set_grad_enabled",
]  # fmt: skip

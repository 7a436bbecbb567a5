"""graphc: symbolic graphs compiled to native code.

    import graphc as gc

    n = gc.dim("n")
    x = gc.input("x", (n, 64))
    w = gc.parameter("w", np.zeros((64, 10), np.float32))
    program = gc.compile([x], gc.softmax(x @ w, axis=-1))

Everything public is reached from here. What only a compile needs is imported when it is first
asked for, so that the import stays quick.
"""

import math
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

# Eager tensors take these functions too: the face chooses by what it is given.
from graphc import amp, autograd, config, cuda, errors, former, ops, version
from graphc.amp import GradScaler, autocast, is_autocast_enabled
from graphc.core.dtypes import DType as dtype
from graphc.core.dtypes import (
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from graphc.core.ir import Graph, Node
from graphc.eager.engine.device import device
from graphc.eager.engine.mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from graphc.eager.functions.limits import finfo, iinfo
from graphc.eager.functions.random import Generator, default_generator
from graphc.eager.methods.printing import get_printoptions, printoptions, set_printoptions
from graphc.eager.settings import (
    are_deterministic_algorithms_enabled,
    get_default_device,
    get_float32_matmul_precision,
    get_num_threads,
    set_default_device,
    set_default_tensor_type,
    set_float32_matmul_precision,
    set_num_threads,
    typename,
    use_deterministic_algorithms,
)
from graphc.eager.typed import ON_CUDA, TYPED
from graphc.ops.sizes import dim
from graphc.ops.source import Parameter
from graphc.version import __version__ as __version__

# isort: off
from graphc.functions import (
    abs, absolute, acos, acosh, add, addbmm, addcdiv, addcmul, addmm, addmv, addr, adjoint, all,
    allclose, amax, amin, aminmax, angle, any, arange, arccos, arccosh, arcsin, arcsinh, arctan,
    arctan2, arctanh, argmax, argmin, argsort, argwhere, array_split, as_tensor, asarray, asin,
    asinh, atan, atan2, atanh, atleast_1d, atleast_2d, atleast_3d, avg_pool, baddbmm,
    bartlett_window, bernoulli, beta, betaln, binary_cross_entropy,
    binary_cross_entropy_with_logits, bincount, bitwise_and, bitwise_count, bitwise_invert,
    bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, blackman_window,
    block_diag, bmm, broadcast_shapes, broadcast_tensors, broadcast_to, bucketize, can_cast,
    cartesian_prod, cast, cat, categorical, cauchy, cbrt, cdist, ceil, check, choice, cholesky,
    cholesky_inverse, cholesky_solve, chunk, clamp, clamp_max, clamp_min, clip, column_stack,
    combinations, concat, concatenate, cond, conj, constant, conv, conv_integer, conv_transpose,
    copysign, corrcoef, cos, cosh, count_nonzero, cov, cross, cross_entropy, cummax, cummin,
    cumprod, cumsum, cumulative_trapezoid, deg2rad, degrees, det, diag, diag_embed, diagflat,
    diagonal, diagonal_scatter, digamma, dist, div, divide, divmod, dot, dropout, dsplit, dstack,
    einsum, elu, empty, empty_like, entr, eq, equal, erf, erfc, erfcinv, erfcx, erfinv, exp, exp2,
    expand, expand_dims, expit, expm1, exponential, eye, fabs, fix, flatten, flip, fliplr, flipud,
    float_power, floor, floor_divide, fmax, fmin, fmod, fold_in, frac, frexp, from_dlpack,
    from_numpy, full, full_like, gamma, gammaln, gather, gcd, ge, gelu, geometric,
    get_default_dtype, get_rng_state, greater, greater_equal, gt, gumbel, hamming_window,
    hann_window, heaviside, histc, histogram, hsplit, hstack, hypot, i0, i0e, i1, i1e, index_add,
    index_copy, index_fill, index_reduce, index_select, index_update, initial_seed, inner, input,
    inverse, invert, iota, is_floating_point, is_tensor, isclose, isfinite, isin, isinf, isnan,
    isneginf, isposinf, isreal, kaiser_window, kron, kthvalue, laplace, lcm, ldexp, le, leaky_relu,
    left_shift, lerp, less, less_equal, lgamma, linspace, log, log10, log1mexp, log1p, log2,
    log_ndtr, log_normal, log_sigmoid, log_softmax, logaddexp, logaddexp2, logcumsumexp, logdet,
    logical_and, logical_not, logical_or, logical_xor, logit, logspace, logsumexp, lt, lu_solve,
    lu_unpack, manual_seed, map, masked_fill, masked_scatter, masked_select, matmul, matmul_integer,
    matrix_exp, matrix_power, max, max_pool, maximum, mean, median, meshgrid, min, minimum, mish,
    mm, mod, mode, modf, moveaxis, movedim, mse_loss, msort, mul, multigammaln, multinomial,
    multiply, mv, mvlgamma, nan_to_num, nanmean, nanmedian, nanquantile, nansum, narrow,
    narrow_copy, ndtr, ndtri, ne, neg, negative, nextafter, nonzero, norm, normal, not_equal, numel,
    one_hot, ones, ones_like, orgqr, outer, pad, parameter, pdist, permutation, permute, pinverse,
    poisson, polygamma, positive, pow, power, print, prod, promote_types, psi, qr, quantile,
    rad2deg, radians, rand, rand_like, randint, randint_like, randn, randn_like, random_key,
    randperm, range, ravel, real, reciprocal, recurrence, relu, relu6, remainder, renorm, repeat,
    repeat_interleave, reshape, resolve_conj, resolve_neg, result_type, right_shift, rint, roll,
    rot90, round, row_stack, rsqrt, rsub, scalar_tensor, scan, scatter, scatter_add, scatter_reduce,
    searchsorted, seed, select_scatter, selu, set_default_dtype, set_rng_state, sgn, sigmoid, sign,
    signbit, silu, sin, sinc, sinh, size, slice_scatter, slogdet, softmax, softplus, sort, spacing,
    special_erf, split, split_key, split_with_sizes, sqrt, square, squeeze, stack, std, std_mean,
    stop_gradient, student_t, sub, subtract, sum, sum_to_size, svd, swapaxes, swapdims, t, take,
    take_along_axis, take_along_dim, tan, tanh, tensor, tensor_split, tensordot, tile, topk, trace,
    transpose, trapezoid, trapz, triangular_solve, tril, tril_indices, triu, triu_indices,
    true_divide, trunc, unbind, unflatten, uniform, unique, unsafe_split_with_sizes, unsqueeze,
    vander, var, var_mean, vdot, vsplit, vstack, where, while_loop, xlog1py, xlogy, zeros,
    zeros_like, zeta,
)  # fmt: skip
# isort: on

# The function, where the submodule of that name would stand.
from graphc.program.reference import interpret

if TYPE_CHECKING:
    from graphc import (
        accelerator,
        backends,
        data,
        debug,
        distributed,
        distributions,
        func,
        jit,
        linalg,
        nn,
        optim,
        quantisation,
        special,
        testing,
        text,
        utils,
        viz,
    )
    from graphc import onnx as onnx  # an extra, and so none of `__all__`
    from graphc.contrasting import contrast
    from graphc.debug import diff
    from graphc.func.mapping import vmap
    from graphc.networks import to_networkx
    from graphc.nn.functional import (
        adaptive_avg_pool1d,
        alpha_dropout,
        avg_pool1d,
        bilinear,
        celu,
        channel_shuffle,
        conv1d,
        conv2d,
        conv3d,
        conv_transpose1d,
        conv_transpose2d,
        conv_transpose3d,
        cosine_similarity,
        group_norm,
        hardshrink,
        layer_norm,
        max_pool1d,
        max_pool2d,
        max_pool3d,
        pairwise_distance,
        pixel_shuffle,
        pixel_unshuffle,
        prelu,
        rms_norm,
        rrelu,
    )
    from graphc.passes.grad import grad, value_and_grad
    from graphc.passes.jacobian import hessian, hvp, jacobian, jvp
    from graphc.passes.own import graph_pass
    from graphc.program.checking import check_grad
    from graphc.program.checking_ops import check_op
    from graphc.program.clone import clone
    from graphc.program.driver import compile
    from graphc.program.naming import named
    from graphc.program.program import Program
    from graphc.quantisation import quantize
    from graphc.storage import load, save


# PyTorch's numbers, and None for a new axis.
inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None
# PyTorch's names of tensors by their dtypes.
FloatTensor, DoubleTensor, HalfTensor = (TYPED[f"{n}Tensor"] for n in ("Float", "Double", "Half"))
LongTensor, IntTensor, ShortTensor = (TYPED[f"{n}Tensor"] for n in ("Long", "Int", "Short"))
ByteTensor, CharTensor, BoolTensor = (TYPED[f"{n}Tensor"] for n in ("Byte", "Char", "Bool"))
BFloat16Tensor = TYPED["BFloat16Tensor"]
vars(cuda).update(ON_CUDA, amp=amp)
# PyTorch's second names of dtypes.
float, double, half = float32, float64, float16
int, long, short, bool = int32, int64, int16, bool_

former.install()

# Where the names are that are imported late; None for modules.
_LATE: dict[str, str | None] = {
    "check_grad": "program.checking",
    "check_op": "program.checking_ops",
    "clone": "program.clone",
    "compile": "program.driver",
    "Program": "program.program",
    "grad": "passes.grad",
    "hessian": "passes.jacobian",
    "hvp": "passes.jacobian",
    "jacobian": "passes.jacobian",
    "jvp": "passes.jacobian",
    "graph_pass": "passes.own",
    "named": "program.naming",
    "value_and_grad": "passes.grad",
    "vmap": "func.mapping",
    "contrast": "contrasting",
    "data": None,
    "func": None,
    "debug": None,
    "diff": "debug",
    "accelerator": None,
    "backends": None,
    "distributed": None,
    "distributions": None,
    "testing": None,
    "utils": None,
    "jit": None,
    "quantisation": None,
    "quantize": "quantisation",
    "linalg": None,
    "load": "storage",
    "save": "storage",
    "nn": None,
    "onnx": None,
    "optim": None,
    "special": None,
    "text": None,
    "viz": None,
    "to_networkx": "networks",
}
# Functions of layers that PyTorch has beside tensors' too, with the same arguments.
_OF_LAYERS = """
    adaptive_avg_pool1d alpha_dropout avg_pool1d bilinear celu channel_shuffle conv1d conv2d
    conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity group_norm
    hardshrink layer_norm max_pool1d max_pool2d max_pool3d pairwise_distance pixel_shuffle
    pixel_unshuffle prelu rms_norm rrelu
"""
_LATE |= dict.fromkeys(_OF_LAYERS.split(), "nn.functional")

if not TYPE_CHECKING:  # a checker would take every name for one of these

    def __getattr__(name: str) -> Any:
        if f"graphc.{name}" in former.PLACES:
            return import_module(f"graphc.{name}")
        if name not in _LATE:
            raise AttributeError(f"module 'graphc' has no attribute {name!r}")
        place = _LATE[name]
        if name == "onnx" and find_spec("onnx") is None:
            raise AttributeError("graphc.onnx needs the package onnx: install graphc[onnx]")
        if place is None:
            return import_module(f"graphc.{name}")
        found = getattr(import_module(f"graphc.{place}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "Generator", "GradScaler", "Graph", "HalfTensor", "IntTensor", "LongTensor", "Node",
    "Parameter", "Program", "ShortTensor", "Size", "Tensor", "abs", "absolute", "accelerator",
    "acos", "acosh", "adaptive_avg_pool1d", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv",
    "addr", "adjoint", "all", "allclose", "alpha_dropout", "amax", "amin", "aminmax", "amp",
    "angle", "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort", "argwhere",
    "array_split", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d",
    "atleast_2d", "atleast_3d", "autocast", "autograd", "avg_pool", "avg_pool1d", "backends",
    "baddbmm", "bartlett_window", "bernoulli", "beta", "betaln", "bfloat16", "bilinear",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "bincount", "bitwise_and",
    "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "blackman_window", "block_diag", "bmm", "bool", "bool_",
    "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "can_cast",
    "cartesian_prod", "cast", "cat", "categorical", "cauchy", "cbrt", "cdist", "ceil", "celu",
    "channel_shuffle", "channels_last", "channels_last_3d", "check", "check_grad", "check_op",
    "choice", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp", "clamp_max",
    "clamp_min", "clip", "clone", "column_stack", "combinations", "compile", "concat",
    "concatenate", "cond", "config", "conj", "constant", "contiguous_format", "contrast", "conv",
    "conv1d", "conv2d", "conv3d", "conv_integer", "conv_transpose", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "copysign", "corrcoef", "cos", "cosh",
    "cosine_similarity", "count_nonzero", "cov", "cross", "cross_entropy", "cuda", "cummax",
    "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "data", "debug", "default_generator",
    "deg2rad", "degrees", "det", "device", "diag", "diag_embed", "diagflat", "diagonal",
    "diagonal_scatter", "diff", "digamma", "dim", "dist", "distributed", "distributions", "div",
    "divide", "divmod", "dot", "double", "dropout", "dsplit", "dstack", "dtype", "e", "einsum",
    "elu", "empty", "empty_like", "enable_grad", "entr", "eq", "equal", "erf", "erfc", "erfcinv",
    "erfcx", "erfinv", "errors", "exp", "exp2", "expand", "expand_dims", "expit", "expm1",
    "exponential", "eye", "fabs", "finfo", "fix", "flatten", "flip", "fliplr", "flipud", "float",
    "float16", "float32", "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "fold_in", "frac", "frexp", "from_dlpack", "from_numpy", "full", "full_like", "func", "gamma",
    "gammaln", "gather", "gcd", "ge", "gelu", "geometric", "get_default_device",
    "get_default_dtype", "get_float32_matmul_precision", "get_num_threads", "get_printoptions",
    "get_rng_state", "grad", "graph_pass", "greater", "greater_equal", "group_norm", "gt", "gumbel",
    "half", "hamming_window", "hann_window", "hardshrink", "heaviside", "hessian", "histc",
    "histogram", "hsplit", "hstack", "hvp", "hypot", "i0", "i0e", "i1", "i1e", "iinfo", "index_add",
    "index_copy", "index_fill", "index_reduce", "index_select", "index_update", "inf",
    "inference_mode", "initial_seed", "inner", "input", "int", "int16", "int32", "int64", "int8",
    "interpret", "inverse", "invert", "iota", "is_autocast_enabled", "is_floating_point",
    "is_grad_enabled", "is_inference_mode_enabled", "is_tensor", "isclose", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "jacobian", "jit", "jvp", "kaiser_window",
    "kron", "kthvalue", "laplace", "layer_norm", "layout", "lcm", "ldexp", "le", "leaky_relu",
    "left_shift", "lerp", "less", "less_equal", "lgamma", "linalg", "linspace", "load", "log",
    "log10", "log1mexp", "log1p", "log2", "log_ndtr", "log_normal", "log_sigmoid", "log_softmax",
    "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logit", "logspace", "logsumexp", "long", "lt", "lu_solve", "lu_unpack",
    "manual_seed", "map", "masked_fill", "masked_scatter", "masked_select", "matmul",
    "matmul_integer", "matrix_exp", "matrix_power", "max", "max_pool", "max_pool1d", "max_pool2d",
    "max_pool3d", "maximum", "mean", "median", "memory_format", "meshgrid", "min", "minimum",
    "mish", "mm", "mod", "mode", "modf", "moveaxis", "movedim", "mse_loss", "msort", "mul",
    "multigammaln", "multinomial", "multiply", "mv", "mvlgamma", "named", "nan", "nan_to_num",
    "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "narrow_copy", "ndtr", "ndtri", "ne",
    "neg", "negative", "newaxis", "nextafter", "nn", "no_grad", "nonzero", "norm", "normal",
    "not_equal", "numel", "one_hot", "ones", "ones_like", "ops", "optim", "orgqr", "outer", "pad",
    "pairwise_distance", "parameter", "pdist", "permutation", "permute", "pi", "pinverse",
    "pixel_shuffle", "pixel_unshuffle", "poisson", "polygamma", "positive", "pow", "power", "prelu",
    "preserve_format", "print", "printoptions", "prod", "promote_types", "psi", "qr", "quantile",
    "quantisation", "quantize", "rad2deg", "radians", "rand", "rand_like", "randint",
    "randint_like", "randn", "randn_like", "random_key", "randperm", "range", "ravel", "real",
    "reciprocal", "recurrence", "relu", "relu6", "remainder", "renorm", "repeat",
    "repeat_interleave", "reshape", "resolve_conj", "resolve_neg", "result_type", "right_shift",
    "rint", "rms_norm", "roll", "rot90", "round", "row_stack", "rrelu", "rsqrt", "rsub", "save",
    "scalar_tensor", "scan", "scatter", "scatter_add", "scatter_reduce", "searchsorted", "seed",
    "select_scatter", "selu", "set_default_device", "set_default_dtype", "set_default_tensor_type",
    "set_float32_matmul_precision", "set_grad_enabled", "set_num_threads", "set_printoptions",
    "set_rng_state", "sgn", "short", "sigmoid", "sign", "signbit", "silu", "sin", "sinc", "sinh",
    "size", "slice_scatter", "slogdet", "softmax", "softplus", "sort", "spacing", "special",
    "special_erf", "split", "split_key", "split_with_sizes", "sqrt", "square", "squeeze", "stack",
    "std", "std_mean", "stop_gradient", "strided", "student_t", "sub", "subtract", "sum",
    "sum_to_size", "svd", "swapaxes", "swapdims", "t", "take", "take_along_axis", "take_along_dim",
    "tan", "tanh", "tensor", "tensor_split", "tensordot", "testing", "text", "tile", "to_networkx",
    "topk", "trace", "transpose", "trapezoid", "trapz", "triangular_solve", "tril", "tril_indices",
    "triu", "triu_indices", "true_divide", "trunc", "typename", "uint16", "uint32", "uint64",
    "uint8", "unbind", "unflatten", "uniform", "unique", "unsafe_split_with_sizes", "unsqueeze",
    "use_deterministic_algorithms", "utils", "value_and_grad", "vander", "var", "var_mean", "vdot",
    "version", "viz", "vmap", "vsplit", "vstack", "where", "while_loop", "xlog1py", "xlogy",
    "zeros", "zeros_like", "zeta",
]  # fmt: skip

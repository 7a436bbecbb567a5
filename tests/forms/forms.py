"""The forms: Python expressions over a module `T` and a few tensors, the same for both sides.

They come from PyTorch's own overloads, asked of the installed PyTorch: each argument that has a
default is left out, given by position and given by name, with values by its type (axes of both
signs and zero, tuples, 0-d tensors, bools and integers).
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

R = np.random.default_rng(0)
# The tensors of every form by the names they have in its expression.
DATA: dict[str, np.ndarray] = {
    "x": R.standard_normal((3, 4, 2)).astype("f"),
    "y": R.standard_normal((3, 4, 2)).astype("f"),
    "v": R.standard_normal(4).astype("f"),
    "w": R.standard_normal(4).astype("f"),
    "m": R.standard_normal((4, 4)).astype("f"),
    "s": np.array(1.5, "f"),
    "b": R.random((4, 2)) > 0.4,
    "k": R.integers(-3, 7, (3, 4, 2)),
    "u": R.integers(0, 9, 5).astype(np.uint8),
    "i": np.array([1, 0, 2]),
    "o": np.ones((3, 1, 2), "f"),
    "e": np.zeros((0, 4), "f"),
}
FIRST = ("x", "v", "m", "s", "b", "k", "u", "e")
VALUES = {
    "Tensor": ("y", "v", "m", "s", "k", "b", "i"),
    "Tensor?": ("None", "v", "i"),
    "Tensor[]": ("[v, w]", "(x, y)"),
    "int": ("0", "1", "-1", "2", "5"),
    "int?": ("0", "-1", "None", "2"),
    "SymInt": ("0", "1", "-1", "2"),
    "SymInt?": ("1", "None"),
    "int[]": ("0", "(0,)", "[0, 2]", "(-1,)", "()", "(1, 0)", "[2, 0, 1]"),
    "int[1]": ("0", "(1,)", "[0, -1]", "()"),
    "int[1]?": ("0", "(0,)", "[0, 2]", "-1", "()", "None"),
    "SymInt[]": ("(3, 8)", "(2, 2, 2)", "4", "(4,)", "(-1,)", "[3, 4, 2]"),
    "bool": ("True", "False"),
    "bool?": ("True", "False", "None"),
    "float": ("0.5", "0.0", "2", "-1.5"),
    "float?": ("0.5", "None", "0"),
    "Scalar": ("2", "0.5", "0", "-1", "True"),
    "Scalar?": ("2", "0.5", "0", "None"),
    "ScalarType?": ("None", "T.float64", "T.int64", "T.int32"),
    "ScalarType": ("T.float64",),
    "str": ("'none'", "'floor'", "'mean'", "'sum'"),
    "str?": ("None", "'floor'", "'trunc'", "'left'", "'right'"),
}  # fmt: skip
# Random, uninitialised, about memory or modes, or told apart by no value.
_NAMES = """
    alpha_dropout apply_ backward bernoulli bernoulli_ cauchy_ compile cond cuda data_ptr detach_
    dim dropout dropout1d dropout2d dropout3d dropout_ empty empty_like enable_grad exponential_
    feature_alpha_dropout from_dlpack from_numpy geometric_ get_default_dtype get_rng_state
    gumbel_softmax initial_seed is_contiguous is_grad_enabled is_tensor item load log_normal_
    manual_seed map_ multi_head_attention_forward multinomial new new_empty no_grad normal normal_
    numel numpy pin_memory poisson rand rand_like randint randint_like randn randn_like random_
    randperm register_hook register_post_accumulate_grad_hook requires_grad_ resize_ result_type
    retain_grad rrelu save seed set_ set_default_device set_default_dtype set_grad_enabled
    set_printoptions set_rng_state share_memory_ size storage stride tolist trace type uniform_
    untyped_storage vmap
"""
SKIPPED = set(_NAMES.split())
_ARGUMENT = re.compile(r"(?P<type>[\w\[\]?()!]+) (?P<name>\w+)(?:=(?P<default>.+))?")


def shared_names(source: Any, ours: Any) -> list[str]:
    """The public functions that both sides have."""
    return sorted(
        n for n in dir(source)
        if not n.startswith("_") and n not in SKIPPED and hasattr(ours, n)
        and callable(getattr(source, n)) and not inspect.isclass(getattr(source, n))
    )  # fmt: skip


def _overloads(torch: Any, name: str) -> Iterator[list[tuple[str, str, str | None, bool]]]:
    """For each overload the arguments after the tensor: type, name, default, keyword only."""
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        text = str(schema).split(" -> ")[0]
        inside = text[text.index("(") + 1 : -1]
        parts = [p for p in re.split(r", (?![^\[]*\])", inside) if p]
        if not parts or "Tensor" not in parts[0] or "out" in text.split("(")[0].split(".")[-1]:
            continue
        found, only = [], False
        for part in parts[1:]:
            if part == "*":
                only = True
                continue
            match = _ARGUMENT.fullmatch(part)
            if match is None or "!" in match["type"] or match["name"] in ("layout", "out"):
                break
            kind = re.sub(r"\(\w\)", "", match["type"])
            if kind not in VALUES and match["default"] is None:
                break
            found.append((kind, match["name"], match["default"], only))
        else:
            yield found


def _argument_texts(arguments: list[tuple[str, str, str | None, bool]]) -> Iterator[str]:
    """Ways to write the arguments: required ones in all values, the others one by one."""
    needed = [a for a in arguments if a[2] is None]
    optional = [a for a in arguments if a[2] is not None and a[0] in VALUES]
    several = itertools.islice(itertools.product(*(VALUES[a[0]] for a in needed)), 40)
    for values in several:
        names = [f"{a[1]}={v}" if a[3] else v for a, v in zip(needed, values)]
        yield ", ".join(names)
        if needed and not needed[-1][3]:
            yield ", ".join([*names[:-1], f"{needed[-1][1]}={values[-1]}"])
        for k, extra in enumerate(optional):
            for value in VALUES[extra[0]]:
                if not any(a[3] for a in needed):
                    yield ", ".join([*names, f"{extra[1]}={value}"])
                if not extra[3] and k == 0:
                    yield ", ".join([*names, value])
        if len(optional) > 1 and not optional[1][3] and not any(a[3] for a in needed):
            for pair in itertools.product(VALUES[optional[0][0]], VALUES[optional[1][0]][:2]):
                yield ", ".join([*names, *pair])


def _written(torch: Any, name: str) -> list[str]:
    texts: dict[str, None] = {"": None}
    for arguments in _overloads(torch, name.rstrip("_") if name.endswith("_") else name):
        texts |= dict.fromkeys(_argument_texts(arguments))
    for plain in ("0", "-1", "1", "2", "0.5", "True", "(0, 1)", "0, 1", "1, 0", "y", "v", "dim=0"):
        texts[plain] = None
    return list(texts)


def all_forms(torch: Any, gc: Any) -> list[str]:
    """The expressions of all forms, of functions and of methods, in order."""
    found: dict[str, None] = {}
    for name in shared_names(torch, gc):
        for text, first in itertools.product(_written(torch, name), FIRST):
            found[f"T.{name}({first}{', ' if text else ''}{text})"] = None
    for name in shared_names(torch.Tensor, gc.Tensor):
        for text, first in itertools.product(_written(torch, name), FIRST):
            found[f"{first}.{name}({text})"] = None
    for text in [*_with_out(torch, gc), *FUNCTIONAL]:
        found[text] = None
    for text, first in itertools.product(OPERATORS, FIRST):
        found[text.replace("$", first)] = None
    return [text for text in found if not _is_undefined(text)]


OUT = (
    "T.empty(0)", "T.empty(0, dtype=T.float64)", "T.empty(0, dtype=T.int64)", "T.ones(3, 4, 2)",
    "T.empty(0, dtype=T.bool)", "x", "k", "T.ones(4, dtype=T.float16)",
    "(T.empty(0), T.empty(0, dtype=T.int64))", "(T.empty(0), T.empty(0))",
)  # fmt: skip


def _with_out(torch: Any, gc: Any) -> Iterator[str]:
    """Functions that write into a tensor: new and empty, of other dtypes, of the right shape, and
    one of their operands."""
    for name in shared_names(torch, gc):
        for text, first, out in itertools.product(_written(torch, name)[:8], "xvkb", OUT):
            yield f"T.{name}({first}{', ' if text else ''}{text}, out={out})"
    for name, text in itertools.product(("cat", "stack", "hstack", "vstack", "row_stack"), OUT):
        yield f"T.{name}([x, y], out={text})"
        yield f"T.{name}((v, v), out={text})"
    made = ("zeros(3)", "ones(2, 2)", "full((4,), 2)", "arange(4)", "linspace(0, 3, 4)", "eye(3)")
    for text, out in itertools.product(made, OUT):
        yield f"T.{text[:-1]}, out={out})"


def _is_undefined(text: str) -> bool:
    """Whether PyTorch itself gives no settled answer."""
    parts = re.match(r"(\w)\.(\w+_)\((.*)", text)
    if parts is not None and re.search(rf"\b{parts[1]}\b", parts[3]):
        return True  # an operand is overwritten while it is read
    if re.search(
        r"^T\.(a?m(ax|in)|arg|(nan)?(mean|sum)|histc|norm|prod|std|var).*\b([xk])\b.*, out=\5\)",
        text,
    ):
        return True  # PyTorch clears its target before it reads it
    if text.startswith(("T.searchsorted(v, ", "v.searchsorted(")) or re.search(
        r"bucketize.*\b[vw]\b|histogram.*\bv\)", text
    ):
        return True  # of no sorted sequence
    if "nansum(" in text and "out=" in text and "float16" in text:
        return True  # PyTorch adds in float16 what its sum adds in float32
    if "isin(" in text and "assume_unique=True" in text:
        return True  # elements that are not unique
    if re.search(r"\be\b", text) and re.search(r"@|matmul", text) and "k" in text:
        return True  # of no element it lets two dtypes pass
    return text.startswith("F.lp_pool1d(k")  # averages of integers, cut before their root


OPERATORS = [
    text
    for sign in ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "@")
    for other in ("2", "0.5", "-1", "True", "y", "v", "s", "k", "b", "i")
    for text in (f"$ {sign} {other}", f"{other} {sign} $")
] + [
    text
    for sign in ("&", "|", "^", "<<", ">>")
    for other in ("2", "True", "k", "b", "u")
    for text in (f"$ {sign} {other}", f"{other} {sign} $")
] + [
    "-$", "abs($)", "~$", "+$", "len($)", "bool($)", "float($)", "int($)", "divmod($, 2)",
]  # fmt: skip
# Functionals: axes, sizes and reductions by the names of their arguments.
_REDUCTIONS = ("", ", reduction='sum'", ", reduction='none'")
FUNCTIONAL = [
    f"F.{name}({a}{r})"
    for name in (
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "soft_margin_loss",
    )
    for a in ("x, y", "v, w", "s, s", "x, x.abs()", "x.double(), y.double()", "k, k")
    for r in _REDUCTIONS
] + [
    f"F.{name}({first}{a})"
    for name, more in {
        "relu": ("",), "relu6": ("",), "elu": ("", ", 0.5", ", alpha=2"), "selu": ("",),
        "celu": ("", ", 0.5"), "gelu": ("", ", approximate='tanh'"), "silu": ("",), "mish": ("",),
        "leaky_relu": ("", ", 0.2", ", 0", ", -1.0"), "softplus": ("", ", 2", ", 1, 0.5"),
        "hardtanh": ("", ", -2, 3", ", 0, 6"), "hardswish": ("",), "hardsigmoid": ("",),
        "hardshrink": ("", ", 0", ", 1"), "softshrink": ("", ", 0"), "tanhshrink": ("",),
        "softsign": ("",), "logsigmoid": ("",), "threshold": (", 0, 1", ", 0.1, -20"),
        "softmax": (", 0", ", -1", ", dim=1", ", dim=-1, dtype=T.float64"), "softmin": (", 0",),
        "log_softmax": (", 0", ", -1", ", dim=0, dtype=T.float64"), "glu": ("", ", 0", ", -1"),
        "normalize": ("", ", dim=0", ", p=1", ", 2.0, -1", ", p=0.5, dim=0"),
        "layer_norm": (", (2,)", ", [4, 2]", ", (4,)"), "one_hot": ("", ", 9"),
        "pad": (
            ", (1, 2)", ", (1, 0, 0, 2)", ", (1, 1), 'reflect'", ", (-1, 0)", ", (1, 1), value=3",
        ),
        "avg_pool1d": (", 2", ", 2, 1", ", (2,), padding=1", ", 2, ceil_mode=True"),
        "max_pool1d": (", 2", ", 2, 1", ", 2, padding=1", ", 2, 1, 0, 1, True"),
        "adaptive_avg_pool1d": (", 1", ", (2,)"), "adaptive_max_pool1d": (", 1", ", 2"),
        "lp_pool1d": (", 2, 2", ", 1, 2"), "unfold": (), "pdist": ("", ", 1"),
        "cosine_similarity": (", y", ", y, 0", ", y, dim=-1"),
        "pairwise_distance": (", y", ", y, 1", ", y, keepdim=True"),
        "linear": (", m", ", m, v", ", T.ones(3, 2)", ", T.ones(2)"),
        "instance_norm": ("",), "local_response_norm": (", 2",), "group_norm": (", 2",),
        "interpolate": (", 3", ", scale_factor=2", ", scale_factor=1.5, mode='linear'"),
        "embedding": (), "rms_norm": (", (2,)",), "channel_shuffle": (", 2",),
        "batch_norm": (", T.zeros(4), T.ones(4)", ", None, None, None, None, True"),
    }.items()
    for a in more
    for first in FIRST
] + [
    f"F.{name}({a}{r})"
    for name in ("cross_entropy", "nll_loss")
    for a in (
        "m, T.tensor([0, 1, 2, 3])", "m, T.tensor([0, -100, 2, 3])", "v, T.tensor(1)",
        "m, T.tensor([0, 1, 2, 9])", "m, T.tensor([0, 1, 2, -1])",
        "x, T.zeros(3, 2, dtype=T.int64)",
        "m, T.tensor([0, 1, 1, 3]), T.ones(4) * 0.5", "m, T.tensor([0, 1, 1, 3]), ignore_index=1",
        "m, T.tensor([1, 1, 1, 1]), ignore_index=1", "T.zeros(0, 4), T.zeros(0, dtype=T.int64)",
    )
    for r in _REDUCTIONS
] + [
    f"F.{name}(T.sigmoid({a}), {t}{r})"
    for name in ("binary_cross_entropy",)
    for a, t in (("x", "T.sigmoid(y)"), ("v", "(w > 0).float()"))
    for r in _REDUCTIONS
] + [
    f"F.binary_cross_entropy_with_logits({a}{r})"
    for a in (
        "x, y.abs()", "v, w, v.abs()", "v, w, pos_weight=v.abs()", "v, w, v.abs(), pos_weight=w",
    )
    for r in _REDUCTIONS
] + [
    f"F.conv1d(x, T.ones(2, 4, {k}){a})"
    for k in (1, 2)
    for a in (
        "", ", None, 1, 1", ", T.ones(2)", ", padding='same'", ", stride=2, padding=2",
        ", padding='valid'",
    )
] + [
    f"F.embedding(T.tensor([0, 2]), m{a})" for a in ("", ", 0", ", padding_idx=-1")
] + [
    f"F.hinge_embedding_loss(v, T.tensor([1., -1, 1, -1]){r})" for r in _REDUCTIONS
] + [
    f"F.margin_ranking_loss(v, w, T.tensor([1., -1, 1, -1]){a}{r})"
    for a in ("", ", margin=0.5") for r in _REDUCTIONS
]  # fmt: skip


def namespace(T: Any, make: Callable[[np.ndarray], Any]) -> dict[str, Any]:
    """What the expressions see: the module, its functionals, the tensors."""
    return {"T": T, "F": T.nn.functional, **{n: make(a.copy()) for n, a in DATA.items()}}

"""Random programs in PyTorch's API: straight lines of calls, their values and gradients compared.

A program is a list of lines over earlier names; what PyTorch refuses is never taken up. One that
differs is reduced (results and lines left out while it still differs) and printed as a test.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

import graphc as gc

SHAPES = ((3, 4), (4, 3), (4,), (3, 1), (2, 3, 4), (1, 4), (), (3, 3))
ONE = (
    "$.exp()", "$.tanh()", "T.sigmoid($)", "F.relu($)", "F.gelu($)", "F.silu($)", "-$", "$ * 0.5",
    "1 - $", "$ ** 2", "$.abs()", "($ * $ + 1).sqrt()", "($.abs() + 1).log()", "$.clamp(-1, 1)",
    "F.softplus($)", "F.leaky_relu($, 0.1)", "$.sin()", "T.where($ > 0, $, 0.1 * $)",
    "T.where($ > 0.5, 1.0, $)", "$.detach()", "$.clone()", "$.contiguous().clone()",
    "T.ones_like($) + $", "F.softmax($, -1)", "F.log_softmax($, 0)", "F.normalize($, dim=-1)",
    "F.layer_norm($, $.shape[-1:])", "$.cumsum(0)", "$.cumsum(-1)", "$.flip(0)", "$.roll(1, 0)",
    "T.tril($)", "$.nan_to_num()", "$.sum()", "$.mean()", "$.sum(0)", "$.sum(-1)",
    "$.sum(-1, keepdim=True)", "$.mean(0, True)", "$.amax(0)", "$.amin(-1)", "$.max(0).values",
    "$.min(-1)[0]", "$.var(0)", "$.std(-1)", "$.var()", "$.norm()", "$.norm(dim=-1)", "$.prod(0)",
    "T.logsumexp($, 0)", "$.logsumexp(-1)", "$.sort(0).values", "$.topk(2, -1).values",
    "$.median(0).values", "$.cumprod(-1)", "$.t()", "$.T", "$.transpose(0, -1)",
    "$.reshape(-1).clone()", "$.flatten().clone()", "$.unsqueeze(0)", "$.unsqueeze(-1)",
    "$.squeeze()", "$.squeeze(0)", "$.permute(1, 0)", "$.reshape(4, 3).clone()", "$.view(-1)",
    "$.expand(2, *$.shape)", "$.repeat(2, 1)", "$.movedim(0, -1)", "$.diagonal()", "$[0]", "$[-1]",
    "$[1:]", "$[:, 1:]", "$[..., ::2]", "$[:, 0]", "$[None]", "$[[0, 2, 0]]",
    "$[T.tensor([1, 0])]", "$[:, T.tensor([0, 0, 1])]", "$.index_select(0, T.tensor([1, 1]))",
    "$.gather(0, T.zeros(1, 4, dtype=T.int64))", "$.chunk(2, -1)[0]", "$.split(2, 0)[-1]",
    "$.narrow(0, 1, 2)", "$.unbind(0)[1]", "$.masked_fill($ > 0, 0.5)", "F.pad($, (1, 2))",
    "F.dropout($, 0.0)", "$.float()", "$.double().float()", "F.one_hot(($ > 0).long()).float()",
    "($ > 0).float()", "$.argmax(-1).float()", "F.avg_pool1d($, 2)", "F.max_pool1d($, 2, 1)",
    "$.half()", "$.double()", "$.long()", "($ * 3).int()", "($ * 9).to(T.uint8)", "$ > 0",
    "~($ > 0)", "$.half().float()", "$.flip(-1)", "$.flip(0)[1:]", "$.flip(-1).T",
    "$.view(-1)[::2]",
    "$.reshape(-1)", "$.T[0]", "$.expand(3, *$.shape)[1]", "$.expand(4, 4)", "$[::2].T",
    "$.select(-1, 0)", "$.round()", "$ // 2", "$ % 3", "2 ** $", "$ * 2", "$ * True", "3 - $",
    "$ / 2", "$.true_divide(4)", "$ == $.max()", "$.sum(dtype=T.float64)", "$.cumsum(-1)[..., -1]",
    "$[$ > 0]", "$[None, ..., None]", "$[..., T.tensor([0, -1])]", "$[1, T.tensor([0, 2])]",
    "$.detach().requires_grad_()", "$.data", "$.mT", "$.contiguous()", "$.squeeze(-1)",
    "T.autograd.grad(($ ** 3).sum(), $, create_graph=True)[0]",
    "T.autograd.grad($.tanh().sum(), $, retain_graph=True)[0]", "$.unfold(0, 2, 1)",
    "T.zeros_like($)", "T.full_like($, 0.5)", "$.new_ones(2)", "$.sort(-1)[1]", "$.any(-1)",
    "$.argmin()", "$.all()", "$.count_nonzero(0)", "$.masked_select($ > 0.1)", "$.nonzero()",
    "$.diff(dim=-1)", "$.softmax(0)", "$.std(0, unbiased=False)", "$.tril(-1)", "$.sign()",
    "F.glu($)", "F.hardtanh($)", "F.elu($)", "$.pow(3)", "$.reciprocal().clamp(-2, 2)",
)  # fmt: skip
TWO = (
    "$ + @", "$ - @", "$ * @", "$ / (@.abs() + 1)", "$ @ @.transpose(0, -1)", "$ @ @",
    "T.maximum($, @)", "T.minimum($, @)", "T.where($ > @, $, @)", "T.cat([$, @])",
    "T.cat([$, @], -1)", "T.stack([$, @])", "T.stack([$, @], -1)", "F.mse_loss($, @)",
    "F.smooth_l1_loss($, @, reduction='none')", "F.l1_loss($, @)", "T.matmul($, @)",
    "T.addcmul($, @, @, value=0.3)", "T.lerp($, @, 0.3)", "T.einsum('ij,kj->ik', $, @)",
    "F.linear($, @)", "F.cosine_similarity($, @, -1)", "T.outer($.reshape(-1), @.reshape(-1))",
    "$ + @.sum()", "$ * @.mean(0)", "$ - @.amax(-1, keepdim=True)", "T.hypot($, @ + 3)",
    "F.kl_div(F.log_softmax($, -1), F.softmax(@, -1), reduction='sum')",
    "F.cross_entropy($, @.argmax(-1))", "F.binary_cross_entropy_with_logits($, T.sigmoid(@))",
    "T.addmm($, @, @)", "T.dot($.reshape(-1), @.reshape(-1))", "T.tensordot($, @, 1)",
    "T.vdot($, @)", "$ > @", "$ == @", "$.logical_and(@)", "$ // (@.abs() + 1)",
    "$ % (@.abs() + 1)",
    "$.expand_as(@)", "$.to(@.dtype)", "$ * @.long()", "$ + @.double()", "$.half() * @",
    "$.view_as(@)", "T.where(@ > 0, $, 0)", "$.masked_fill(@ > 0, -1)", "$[@ > 0]",
    "$[@.long().clamp(0, 1)]", "$.gather(0, @.long().clamp(0, 1))",
    "$.index_add(0, T.tensor([0]), @)",
    "$.scatter_add(0, @.long().clamp(0, 1), @)", "T.mul($, @, out=T.empty(0))", "$ ** @.long()",
    "T.autograd.grad(($ * @).sum(), $, create_graph=True)[0]", "$.fmod(@ + 2)", "T.atan2($, @)",
)  # fmt: skip
WRITES = (
    "$.mul_(0.5)", "$.add_(@)", "$.clamp_(min=-0.5)", "$[0] = 1.5", "$[1:] *= 2", "$[0] = @",
    "$[..., 0] += 1", "$.copy_(@)", "$.zero_()", "$[:, 1:].add_(1)", "$[[0, 1]] = 0.25",
    "$.masked_fill_($ > 0, 0.1)", "$.relu_()", "$[T.tensor([0, 1])] += 1", "$[$ > 0] = 0.5",
    "$[..., -1] = @", "$.T[0] = 2", "$.view(-1)[::2] *= 2", "$.T.add_(1)", "$.diagonal().zero_()",
    "$.unsqueeze(0).mul_(2)", "$.index_fill_(0, T.tensor([0]), 3)", "$.sub_($.mean())", "$ *= 2",
    "$ += @", "$.fill_(2)", "T.exp(@, out=$)", "T.add(@, 1, out=$)",
 "with T.no_grad(): $.add_(@)", "with T.no_grad(): $[0] = 1",
    "$[1:][0] = @", "$.flip(0)[0] = 1", "$[@ > 0] *= 0.5", "$[-1], $[0] = 1, @",
    "$.scatter_(0, T.zeros(1, 3, dtype=T.int64), 0.5)", "$.index_put_((T.tensor([0]),), @)",
    "$.clamp_(0, 1)", "$.transpose(0, -1)[..., 0].mul_(@)", "$.squeeze_(0)", "$.t_()",
    "$.unsqueeze_(0)", "$.neg_()", "$.div_(2)", "$.pow_(2)", "$ //= 2", "$ &= True", "$.add_(1.5)",
    "$[0].mul_(@)", "$[:, 0] += @", "$.copy_(@.T)", "$.exp_()", "$.tanh_()",
)  # fmt: skip


class Program:
    """Lines that each define a name or write to one, and the names that are its results."""

    def __init__(self, inputs: dict[str, np.ndarray], lines: list[str]) -> None:
        self.inputs = inputs
        self.lines = lines

    def source(self) -> str:
        """The program as a function of T, F and the inputs; it returns all floats it made."""
        names = [
            line.split(" = ")[0] for line in self.lines if line[0] == "v" and " = " in line[:6]
        ]
        parts = ", ".join(names)
        body = "\n".join([*self.lines, f"return ({parts},)" if names else "return ()"])
        return f"def f({', '.join(self.inputs)}):\n" + textwrap.indent(body, "    ")


def draw(torch: Any, rng: np.random.Generator) -> Program:
    """A random program that PyTorch runs."""
    count = int(rng.integers(1, 4))
    inputs = {
        f"x{k}": rng.standard_normal(SHAPES[int(rng.integers(len(SHAPES)))]).astype("f")
        for k in range(count)
    }
    program = Program(inputs, [])
    wanted = int(rng.integers(3, 13))
    for _ in range(wanted * 8):
        if len(program.lines) >= wanted:
            break
        line = _line(rng, list(inputs), program)
        trial = Program(inputs, [*program.lines, line])
        if run_one(torch, trial) is not None:
            program = trial
    return program


def _line(rng: np.random.Generator, names: list[str], program: Program) -> str:
    made = [line.split(" = ")[0] for line in program.lines if line[0] == "v" and " = " in line[:6]]
    every = names + made + made[-2:] * 2
    kind = rng.random()
    table: Sequence[str] = ONE if kind < 0.55 or not made else TWO if kind < 0.88 else WRITES
    text = table[int(rng.integers(len(table)))]
    pick = made if table is WRITES else every
    text = text.replace("$", str(rng.choice(pick))).replace("@", str(rng.choice(every)))
    return text if table is WRITES else f"v{len(made)} = {text}"


def run_one(T: Any, program: Program, compiled: bool = False) -> list[np.ndarray] | None:
    """All results and the gradients of the inputs; None where PyTorch or graphc refuses."""
    try:
        return _run(T, program, compiled)
    except Exception:
        return None


def _run(T: Any, program: Program, compiled: bool) -> list[np.ndarray]:
    scope: dict[str, Any] = {"T": T, "F": T.nn.functional}
    exec(program.source(), scope)
    given = [T.tensor(a.copy(), requires_grad=True) for a in program.inputs.values()]

    def step(*xs: Any) -> Any:
        results = scope["f"](*xs)
        loss = 0.0
        for k, r in enumerate(results):
            if r.requires_grad:
                loss = loss + (r * (0.3 + 0.1 * k)).double().sum()
        grads = [None] * len(xs)
        if not isinstance(loss, float):
            grads = T.autograd.grad(loss, xs, allow_unused=True)
        zeros = [T.zeros_like(x) if g is None else g for g, x in zip(grads, xs)]
        return [r.detach() for r in results] + [z.detach() for z in zeros]

    found = (gc.jit.compile(step) if compiled else step)(*given)
    return [np.array(r.numpy()) for r in found]


def differs(torch: Any, program: Program, compiled: bool) -> str:
    """What graphc gives otherwise, or nothing; a refusal is none."""
    want = run_one(torch, program)
    got = run_one(gc, program, compiled)
    if want is None or got is None:
        return ""
    if len(want) != len(got):
        return f"{len(got)} results instead of {len(want)}"
    for k, (u, v) in enumerate(zip(want, got)):
        if u.shape != v.shape or u.dtype != v.dtype:
            return f"result {k} is {v.dtype}{v.shape}, PyTorch's {u.dtype}{u.shape}"
        if not np.isfinite(u).all() or np.abs(u).max(initial=0) > 1e5:
            return ""  # beyond here everything depends on rounding
        near = 2e-2 if "half" in program.source() else 2e-3
        if not np.allclose(u, v, rtol=near, atol=near / 10):
            return f"result {k}: {v.ravel()[:4]}, PyTorch's {u.ravel()[:4]}"
    return ""


def reduced(torch: Any, program: Program, compiled: bool) -> Program:
    """The program without the lines that the difference does not need."""
    k = len(program.lines) - 1
    while k >= 0:
        lines = program.lines[:k] + program.lines[k + 1 :]
        smaller = Program(program.inputs, lines)
        if differs(torch, smaller, compiled):
            program = smaller
        k -= 1
    used = {n: a for n, a in program.inputs.items() if any(n in line for line in program.lines)}
    smaller = Program(used, program.lines)
    return smaller if used and differs(torch, smaller, compiled) else program


def run(torch: Any, count: int, seed: int, compiled: bool) -> int:
    """Draw, run and compare programs; print those that differ, reduced."""
    found = refused = 0
    for k in range(count):
        program = draw(torch, np.random.default_rng((seed, k)))
        ways = (False, True) if compiled else (False,)
        for way in ways:
            why = differs(torch, program, way)
            if not why:
                refused += run_one(gc, program, way) is None
                continue
            found += 1
            small = reduced(torch, program, way)
            print(f"# program {seed}, {k}, {'compiled' if way else 'eager'}: {why}")
            for name, array in small.inputs.items():
                print(f"{name} = np.array({array.tolist()!r}, 'f')  # {array.shape}")
            print(small.source(), flush=True)
    print(f"{count} programs, {refused} refused, {found} different")
    return 1 if found else 0

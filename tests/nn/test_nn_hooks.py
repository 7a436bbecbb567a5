"""Hooks of modules: forward, backward, of every module, and what they cost when gone."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from module_errors import lines, raised

import graphc as gc
from graphc import nn
from graphc.errors import GraphcWarning
from graphc.nn.module import hooks


class Double(nn.Module):
    def forward(self, x: Any, bias: Any = None) -> Any:
        return x * 2 if bias is None else x * 2 + bias


class Pair(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return x * y, x + y


def test_forward_hooks_run_in_order_and_replace_what_passes() -> None:
    module, seen = Double(), []
    module.register_forward_pre_hook(lambda m, args: seen.append("pre") or (args[0] + 1,))  # type: ignore[func-returns-value]
    module.register_forward_hook(lambda m, args, out: seen.append("post") or out * 10)  # type: ignore[func-returns-value]
    module.register_forward_hook(lambda m, args, out: seen.append("last"))
    module.register_forward_hook(lambda m, args, out: seen.append("first"), prepend=True)
    module.register_forward_pre_hook(lambda m, args: seen.append("before"), prepend=True)
    assert module(gc.ones(1)).tolist() == [40.0]
    assert seen == ["before", "pre", "first", "post", "last"]


def test_a_pre_hook_may_return_one_argument() -> None:
    module = Double()
    module.register_forward_pre_hook(lambda m, args: args[0] * 3)
    assert module(gc.ones(1)).tolist() == [6.0]


def test_hooks_with_keywords() -> None:
    module, seen = Double(), []
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"bias": kwargs["bias"] + 1}), with_kwargs=True
    )
    module.register_forward_hook(
        lambda m, args, kwargs, out: seen.append(sorted(kwargs)), with_kwargs=True
    )
    assert module(gc.ones(1), bias=gc.ones(1)).tolist() == [4.0]
    assert seen == [["bias"]]
    module.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    assert raised(TypeError, lambda: module(gc.ones(1), bias=gc.ones(1))) == lines(
        "a forward pre-hook of Double with keywords returned 3",
        "at HERE",
        "hint: return None, or the tuple (args, kwargs)",
    )


def test_removed_hooks_leave_the_short_way() -> None:
    module, seen = Double(), []
    with module.register_forward_hook(lambda m, args, out: seen.append(1)):
        module(gc.ones(1))
        assert module._hooked
    module(gc.ones(1))
    assert seen == [1] and not module._hooked and "_hooked" not in vars(module)


def test_hooks_that_always_run() -> None:
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ZeroDivisionError("no")

    module, seen = Fails(), []
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    module.register_forward_hook(lambda m, args, out: seen.append("never"))
    with pytest.raises(ZeroDivisionError):
        module(1)
    assert seen == [None]

    def bad(*_: Any) -> None:
        raise KeyError("in the hook")

    module.register_forward_hook(bad, always_call=True)
    with pytest.raises(ZeroDivisionError), pytest.warns(GraphcWarning, match="KeyError"):
        module(1)


def test_full_backward_hooks_see_and_replace_gradients() -> None:
    module, seen = Pair(), []

    def hook(m: Any, grad_input: Any, grad_output: Any) -> Any:
        seen.append([g.tolist() for g in (*grad_input, *grad_output)])
        return grad_input[0] * 2, grad_input[1]

    module.register_full_backward_hook(hook)
    x, y = gc.tensor([3.0], requires_grad=True), gc.tensor([5.0], requires_grad=True)
    product, total = module(x, y)
    (product + 10 * total).sum().backward()
    assert seen == [[[15.0], [13.0], [1.0], [10.0]]]
    assert x.grad.tolist() == [30.0] and y.grad.tolist() == [13.0]


def test_backward_pre_hooks_change_what_the_module_gets() -> None:
    module, seen = Double(), []
    module.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 3,))
    module.register_full_backward_pre_hook(lambda m, grads: seen.append(grads[0].tolist()))
    module.register_full_backward_hook(lambda m, inputs, outputs: seen.append(outputs[0].tolist()))
    x = gc.ones(1, requires_grad=True)
    module(x).sum().backward()
    assert seen == [[3.0], [3.0]] and x.grad.tolist() == [6.0]


def test_backward_hooks_without_inputs_that_require_gradients() -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(gc.ones(1))

        def forward(self, x: Any) -> Any:
            return x * self.weight

    module, seen = Weighted(), []
    handle = module.register_full_backward_hook(lambda m, i, o: seen.append((i, o[0].tolist())))
    module(gc.ones(1)).sum().backward()
    assert seen == [((None,), [1.0])] and module.weight.grad.tolist() == [1.0]
    handle.remove()
    module.register_full_backward_hook(lambda m, i, o: (gc.ones(1),))
    assert raised(ValueError, lambda: module(gc.ones(1)).sum().backward()) == lines(
        "a backward hook of Weighted returned gradients, but no input of the module requires one",
        "at HERE",
        "hint: return None",
    )


def test_a_backward_hook_with_too_few_gradients() -> None:
    module = Pair()
    module.register_full_backward_hook(lambda m, i, o: (i[0],))
    x = gc.ones(1, requires_grad=True)
    assert raised(ValueError, lambda: module(x, x)[0].sum().backward()) == lines(
        "a backward hook of Pair returned 1 gradients as grad_input, not 2",
        "at HERE",
        "hint: return None, or a tuple as long as grad_input",
    )


def test_backward_hooks_without_gradients_or_tensors() -> None:
    module, seen = Double(), []
    module.register_full_backward_hook(lambda m, i, o: seen.append(1))
    with gc.no_grad():
        module(gc.ones(1, requires_grad=True))
    assert seen == []

    class Listed(nn.Module):
        def forward(self, x: Any) -> Any:
            return [x]

    listed = Listed()
    listed.register_full_backward_hook(lambda m, i, o: None)
    with pytest.warns(GraphcWarning, match="Listed returned a list"):
        listed(gc.ones(1))


def test_hooks_of_every_module() -> None:
    seen: list[str] = []
    inner = Double()
    outer = nn.Sequential(inner)
    x = gc.ones(1, requires_grad=True)
    with (
        hooks.register_module_forward_pre_hook(lambda m, a: seen.append(f"pre {m._get_name()}")),
        hooks.register_module_forward_hook(lambda m, a, o: seen.append(f"post {m._get_name()}")),
        hooks.register_module_full_backward_hook(
            lambda m, i, o: seen.append(f"back {m._get_name()}")
        ),
        hooks.register_module_full_backward_pre_hook(
            lambda m, o: seen.append(f"into {m._get_name()}")
        ),
    ):
        outer(x).sum().backward()
    assert seen == [
        "pre Sequential", "pre Double", "post Double", "post Sequential",
        "into Sequential", "into Double", "back Double", "back Sequential",
    ]  # fmt: skip
    outer(x)
    assert len(seen) == 8 and not hooks.Hooked._hooked


def _shift(module: Any, args: Any, out: Any) -> Any:
    return out + 1


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_hooks_of_their_own(way: Any) -> None:
    module = Double()
    handle = module.register_forward_hook(_shift)
    twin = way(module)
    handle.remove()
    assert module(gc.ones(1)).tolist() == [2.0] and twin(gc.ones(1)).tolist() == [3.0]
    # A handle of another hook never has the number of a copied one.
    twin.register_forward_hook(_shift).remove()
    assert twin(gc.ones(1)).tolist() == [3.0]

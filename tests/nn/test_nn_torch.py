"""Modules, containers and hooks beside PyTorch's: one script, run by both, told as text."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest

import graphc as gc
from graphc import nn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.parity

MODEL = """
class Block(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.register_buffer("seen", t.zeros(1))
        self.register_buffer("hidden", t.zeros(1), persistent=False)
        self.register_parameter("nothing", None)
    def forward(self, x, y=None):
        self.seen.add_(1)
        return self.fc(x) if y is None else self.fc(x) + y

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.shared = self.blocks[0]
        self.scale = nn.Parameter(t.ones(1))
        self.act = nn.ReLU()
    def forward(self, x):
        for block in self.blocks:
            x = self.act(block(x))
        return self.shared(x) * self.scale

net = Net()
log = []
with t.no_grad():
    for k, p in enumerate(net.parameters()):
        p.copy_(t.arange(p.numel()).reshape(p.shape) * 0.25 - 0.3 + k)
x = t.tensor([[1.0, -2.0]], requires_grad=True)

def note(name):
    def hook(module, *values):
        log.append((name, type(module).__name__, [told(v) for v in values]))
    return hook
"""

SCRIPTS = {
    "names": """
        log.append([n for n, _ in net.named_parameters()])
        log.append([n for n, _ in net.named_parameters("p", remove_duplicate=False)])
        log.append([n for n, _ in net.named_parameters(recurse=False)])
        log.append([n for n, _ in net.named_buffers()])
        log.append([n for n, _ in net.named_modules()])
        log.append([n for n, _ in net.named_modules(remove_duplicate=False)])
        log.append([n for n, _ in net.named_children()])
        log.append(list(net.state_dict()))
        log.append(list(net.state_dict(prefix="m.")))
        log.append([m._get_name() for m in net.modules()])
        log.append(sorted(n for n in dir(net) if n in ("blocks", "shared", "scale", "act")))
    """,
    "forward hooks": """
        block = net.blocks[0]
        block.register_forward_pre_hook(note("pre"))
        block.register_forward_pre_hook(lambda m, a: (a[0] * 2,))
        block.register_forward_hook(note("post"))
        block.register_forward_hook(lambda m, a, o: o + 1)
        block.register_forward_hook(note("first"), prepend=True)
        block.register_forward_pre_hook(note("kw"), with_kwargs=True)
        block.register_forward_hook(note("kw post"), with_kwargs=True)
        log.append(told(net(x)))
        log.append(told(block(x, y=t.ones(1))))
    """,
    "backward hooks": """
        for module in (net, net.blocks[1], net.act):
            module.register_full_backward_hook(note("full"))
            module.register_full_backward_pre_hook(note("pre"))
        net.blocks[1].register_full_backward_hook(lambda m, i, o: (i[0] * 3,))
        net.act.register_full_backward_pre_hook(lambda m, o: (o[0] * 2,))
        net(x).sum().backward()
        log.append(told(x.grad))
        log.extend(told(p.grad) for p in net.parameters())
    """,
    "backward hooks, data that needs no gradient": """
        net.register_full_backward_hook(note("full"))
        net(x.detach()).sum().backward()
        log.extend(told(p.grad) for p in net.parameters())
    """,
    "handles": """
        with net.register_forward_hook(note("inside")):
            net(x)
        handle = net.register_forward_hook(note("removed"))
        handle.remove()
        handle.remove()
        net(x)
        log.append(told(net.shared.seen))
    """,
    "loading": """
        twin = Net()
        log.append(repr(twin.load_state_dict(net.state_dict())))
        log.append(told(twin(x)))
        state = {k: v for k, v in net.state_dict().items() if "bias" not in k}
        state["more"] = t.ones(1)
        found = twin.load_state_dict(state, strict=False)
        log.append((found.missing_keys, found.unexpected_keys, repr(found)))
        net.load_state_dict({"scale": t.full((1,), 3.0)}, strict=False, assign=True)
        log.append((told(net.scale), net.scale.requires_grad, type(net.scale).__name__))
    """,
    "errors of loading": """
        state = net.state_dict()
        del state["scale"]
        state["more"] = t.ones(1)
        try:
            net.load_state_dict(state)
        except RuntimeError as error:
            text = str(error)
            log.append([k in text for k in ('"scale"', '"more"', "loading state_dict for Net")])
    """,
    "copies": """
        for twin in (copy.deepcopy(net), pickled(net)):
            log.append((told(twin(x)), twin.shared is twin.blocks[0], repr(twin)))
            log.append([n for n, _ in twin.named_parameters()])
    """,
    "conversion": """
        scale = net.scale
        net.double()
        log.append((scale.dtype == t.float64, scale is net.scale, told(scale)))
        net.to(t.float32)
        log.append(told(net(x)))
        net.requires_grad_(False)
        log.append([p.requires_grad for p in net.parameters()])
        net.eval()
        log.append([m.training for m in net.modules()])
    """,
    "zero_grad": """
        net(x).sum().backward()
        net.zero_grad(set_to_none=False)
        log.append([told(p.grad) for p in net.parameters()])
        net.zero_grad()
        log.append([p.grad for p in net.parameters()])
    """,
    "apply": "net.apply(lambda m: log.append(m._get_name()))",
    "sequential": """
        s = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
        log.append(repr(s[1:]))
        s.append(nn.GELU()).insert(1, nn.SELU())
        log.append(repr(s))
        del s[0]
        s[0] = nn.ELU()
        log.append(repr(s))
        log.append((repr(s + s), repr(s * 2), len(s), repr(s.pop(0)), repr(s.pop(-1)), repr(s)))
        s += nn.Sequential(nn.ReLU())
        s *= 2
        s.extend([nn.ReLU(), nn.ReLU6()])
        del s[1:3]
        log.append(repr(s))
        named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.Tanh()))
        log.append((repr(named[:2]), repr(named.b), told(named(x))))
        del named[1]
        log.append(repr(named))
    """,
    "lists and dicts": """
        l = nn.ModuleList([nn.ReLU(), nn.ReLU()])
        l.append(nn.Tanh())
        l.insert(1, nn.SELU())
        l += [nn.ReLU()]
        log.append((repr(l), repr(l[1:3]), repr(l + [nn.ELU()]), repr(l.pop(0)), repr(l)))
        d = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
        d.update([["c", nn.ELU()]])
        d["b"] = nn.SELU()
        log.append((repr(d), list(d), "a" in d, repr(d.pop("a")), len(d), repr(list(d.items()))))
        p = nn.ParameterList([t.ones(2), nn.Parameter(t.ones(3)), 4])
        p += [t.ones(1)]
        p[0] = t.zeros(2)
        log.append((repr(p), repr(p[1:3]), [n for n, _ in p.named_parameters()], len(p)))
        q = nn.ParameterDict({"b": t.ones(2), "a": t.ones(3)})
        q.update(OrderedDict(z=t.ones(1), y=5))
        log.append((repr(q), list(q), q.get("n"), q.pop("y"), list(q.keys()), list(reversed(q))))
        log.append((q.setdefault("w", 1), repr(q | nn.ParameterDict({"v": t.ones(1)})), len(q)))
        log.append((list(q.copy()), q.popitem(), list(q.fromkeys(["k"], 2).items())))
    """,
    "parameters": """
        p = nn.Parameter(t.ones(2))
        b = nn.Buffer(t.ones(2), persistent=False)
        log.append((repr(p), repr(b), isinstance(p * 2, nn.Parameter), p.is_leaf, b.persistent))
        m = nn.Module()
        m.b, m.p, m.q = b, p, p
        log.append([n for n, _ in m.named_buffers()])
        log.append((list(m.state_dict()), len(list(m.parameters()))))
        m.b = t.zeros(3)
        m.p = None
        log.append((told(m.b), list(m.state_dict()), [n for n, _ in m.named_parameters()]))
        del m.q
        log.append(hasattr(m, "q"))
        log.append(told(t.tensor(m.b.shape)))
    """,
}  # fmt: skip


def told(value: Any) -> Any:
    """A value that can be compared: tensors as their shapes and numbers."""
    if isinstance(value, torch.Tensor | gc.Tensor):
        array = value.detach().numpy()
        return [f"shape {array.shape}", *array.ravel().tolist()]
    if isinstance(value, tuple | list):
        return [told(v) for v in value]
    if isinstance(value, dict):
        return {k: told(v) for k, v in value.items()}
    return value


def assert_same(ours: Any, theirs: Any) -> None:
    """The same things in the same order; floats to a few roundings of float32."""
    assert type(ours) is type(theirs), f"{ours} is not {theirs}"
    if isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), f"{ours} is not {theirs}"
        for a, b in zip(ours, theirs):
            assert_same(a, b)
    else:
        assert ours == theirs


def run(script: str, lib: Any, modules: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    names: dict[str, Any] = {
        "t": lib, "nn": modules, "told": told, "copy": copy, "OrderedDict": OrderedDict,
        "__name__": __name__,
    }  # fmt: skip
    exec(MODEL, names)
    for kind in ("Block", "Net"):  # a pickle finds its classes in their module
        monkeypatch.setitem(globals(), kind, names[kind])
    names["pickled"] = lambda value: pickle.loads(pickle.dumps(value))
    body = "\n".join(line[8:] if line.startswith(" " * 8) else line for line in script.split("\n"))
    exec(body, names)
    return names["log"]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_tells_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = run(SCRIPTS[name], gc, nn, monkeypatch)
    theirs = run(SCRIPTS[name], torch, torch.nn, monkeypatch)
    assert len(ours) > 0
    assert_same(ours, theirs)

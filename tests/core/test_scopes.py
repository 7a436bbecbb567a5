"""Nodes know the modules and functions that they were built in, and for which phase."""

from __future__ import annotations

from typing import Any

from counting import calls_of

import graphc as gc
from graphc import nn
from graphc.core.ir import Node, toposort


def _scopes(root: Node, op: str) -> set[tuple[str, str]]:
    """Scope and phase of all nodes of an op; without what is around this test."""
    found = set()
    for node in toposort([root]):
        if node.op.name == op and node.origin is not None:
            names = [name.partition(":")[0] for name in node.origin.scope]
            own = next(k for k, name in enumerate(names) if name.startswith("test_"))
            found.add(("/".join(names[own + 1 :]), node.origin.phase))
    return found


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.head = nn.Linear(3, 2)

    def forward(self, x: gc.Tensor) -> gc.Tensor:
        for layer in self.layers:
            x = gc.tanh(layer(x))
        return self.head(x)


def test_modules_are_scopes_by_their_names() -> None:
    y = Net()(gc.input("x", (4, 3)))
    inside = {scope.removesuffix("/linear()") for scope, _ in _scopes(y, "matmul")}
    assert inside == {"Net/layers.0", "Net/layers.1", "Net/head"}
    assert {scope for scope, _ in _scopes(y, "tanh")} == {"Net"}


def test_functions_are_scopes() -> None:
    def twice(x: Node) -> Node:
        return gc.exp(gc.exp(x))

    def outer(x: Node) -> Node:
        return twice(x) + gc.tanh(x)

    y = outer(gc.input("x", (3,)))
    assert _scopes(y, "exp") == {("outer()/twice()", "")}
    assert _scopes(y, "tanh") == {("outer()", "")}


def test_a_gradient_is_in_the_scope_of_what_it_is_of() -> None:
    net = Net()
    x = gc.input("x", (4, 3))
    loss = gc.mean(net(x))
    updates = gc.optim.SGD(net.parameters(), lr=0.1).updates(loss)
    found: set[tuple[str, str]] = set()
    for new in updates.values():
        found |= {(s.removesuffix("/linear()"), phase) for s, phase in _scopes(new, "matmul")}
    assert {phase for _, phase in found} == {"", "backward"}
    assert ("Net/layers.1", "backward") in found and ("Net/head", "backward") in found
    last = next(iter(updates.values()))
    assert last.origin is not None and last.origin.phase == "optimizer"
    assert last.origin.scope[-1] == "SGD"


def test_a_traced_step_has_scopes_and_phases_too() -> None:
    net = Net()
    optimizer = gc.optim.SGD(net.parameters(), lr=0.1)

    @gc.jit.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = net(x).mean()
        loss.backward()
        optimizer.step()
        return loss

    step(gc.randn(4, 3))
    graph = step.program.history[0][1]
    found = {
        (node.origin.scope[-2 if node.origin.scope[-1].startswith("linear") else -1], phase)
        for node in graph.nodes
        if node.origin is not None and node.op.name == "matmul"
        for phase in [node.origin.phase]
    }
    layers = {"layers.0", "layers.1", "head"}
    assert found == {(layer, phase) for layer in layers for phase in ("", "backward")}
    assert any(n.origin is not None and n.origin.phase == "optimizer" for n in graph.nodes)


def test_eager_calls_of_modules_build_no_scopes() -> None:
    class Nothing(nn.Module):
        def forward(self, x: gc.Tensor) -> gc.Tensor:
            return x

    nothing, x = Nothing(), gc.ones(1)

    nothing(x)
    assert calls_of(lambda: nothing(x)) == 1 + calls_of(lambda: nothing.forward(x))


def test_deep_recursion_has_the_scopes_of_its_innermost_calls() -> None:
    def down(x: Node, depth: int) -> Node:
        return down(gc.exp(x), depth - 1) if depth else gc.tanh(x)

    y = down(gc.input("x", (3,)), 400)
    assert y.origin is not None and len(y.origin.scope) <= 200

"""Writing programs as ONNX models: `export`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from graphc.core.files import write_file
from graphc.core.ir import Graph, Node, all_nodes, caller, tensor_type
from graphc.errors import ArgumentError, UnsupportedError
from graphc.jit.archive.archive_source import source_of
from graphc.onnx.forms_arrays import FORMS
from graphc.onnx.writing import Writer
from graphc.ops.source import Bound
from graphc.program.program import Program
from graphc.version import __version__

OPSET, IR = 18, 10
# The opsets that are written: those whose operators the forms are of.
OPSETS = range(18, 24)
# What is written as nothing, or by its operands.
SOURCES = ("input", "parameter", "constant")


def export(
    program: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    opset: int = OPSET,
    dynamic_axes: Mapping[str, Any] | None = None,
) -> Any:
    """Write a program as an ONNX model.

    Parameters and constants are initialisers; what a call updates are outputs besides, named
    after their parameters (`w_new`), which are inputs too, so that a training step can be run
    from outside. Checks that fail when a program runs (an index beyond its axis) are left out.

    Args:
        program: a `gc.Program`, or what `gc.jit.trace`, `gc.jit.compile` or `gc.jit.load` returns.
        path: of the file; None to write none.
        opset: of ONNX's operators, 18 to 23.
        dynamic_axes: names of sizes as in `torch.onnx.export`: for an input or an output by its
            name a dict from axes to names, or a list of axes. Sizes are dynamic where the program
            has symbolic ones in any case; here they get other names.

    Returns:
        The `onnx.ModelProto`, checked by onnx.

    Raises:
        UnsupportedError: ops that ONNX has no form for; all are named.
        ArgumentError: `program` is none, the opset is another, or `dynamic_axes` names what is
            not there, or an axis whose size is fixed.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (gc.dim("n"), 3))
        >>> model = gc.onnx.export(gc.compile([x], gc.tanh(x) * 2.0))
        >>> [node.op_type for node in model.graph.node]
        ['Tanh', 'Shape', 'Slice', 'Concat', 'Expand', 'Mul', 'Identity']
    """
    if opset not in OPSETS:
        raise ArgumentError(
            f"onnx.export: opset {opset}; {OPSETS[0]} to {OPSETS[-1]} are written", where=caller()
        )
    found = program if isinstance(program, Program) else source_of("", program, None).program
    graph = found.history[0][1] if found.history else found.graph
    _check(graph)
    model = _model(graph, found, opset)
    if dynamic_axes:
        _rename_sizes(model, dynamic_axes)
    onnx.checker.check_model(model)
    if path is not None:
        write_file(Path(path), [model.SerializeToString()], "onnx.export")
    return model


def exported_ops() -> list[str]:
    """The names of the ops that `export` has a form for.

    Example:
        >>> import graphc as gc
        >>> "tanh" in gc.onnx.exported_ops(), "lgamma" in gc.onnx.exported_ops()
        (True, False)
    """
    return sorted(FORMS)


def _check(graph: Graph) -> None:
    """Refuse a graph with ops that have no form, naming all."""
    missing: dict[str, Node] = {}
    for node in all_nodes(graph):
        if node.op.name not in FORMS and node.op.name not in SOURCES:
            missing.setdefault(node.op.name, node)
    if missing:
        raise UnsupportedError(
            f"onnx.export: ONNX has no form for {', '.join(missing)}",
            [node.describe() for node in missing.values()],
            where=caller(),
        )


def _model(graph: Graph, program: Program, opset: int) -> onnx.ModelProto:
    w = Writer(graph, opset)
    inputs = []
    for node in graph.inputs:
        if not isinstance(node, Bound):
            name = w.names.of(node.name)
            w.values[node] = name
            inputs.append(w.info(name, tensor_type(node)))
    aliased = dict(graph.aliases)
    for place in aliased.values():
        node = graph.inputs[place]
        inputs.append(w.info(w.value(node), tensor_type(node)))
    for node in graph.nodes:
        if w.find(node) is None:
            w.write(node)
    outputs = []
    for k, node in enumerate(graph.outputs):
        name = _output_name(graph, program, k, aliased)
        made = helper.make_node("Identity", [w.value(node)], [name], name=name)
        w.nodes.append(made)
        outputs.append(w.info(name, tensor_type(node)))
    made_graph = helper.make_graph(w.nodes, graph.name, inputs, outputs, list(w.weights.values()))
    return helper.make_model(
        made_graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR,
        producer_name="graphc", producer_version=__version__,
    )  # fmt: skip


def _rename_sizes(model: onnx.ModelProto, dynamic_axes: Mapping[str, Any]) -> None:
    """Give symbolic sizes of inputs and outputs other names.

    Raises:
        ArgumentError: there is no such input or output, or an axis is fixed or not there.
    """
    sides = {v.name: v for v in (*model.graph.input, *model.graph.output)}
    renamed: dict[str, str] = {}
    for name, axes in dynamic_axes.items():
        if name not in sides:
            raise ArgumentError(
                f"onnx.export: dynamic_axes names {name!r}; there are {', '.join(sides)}",
                where=caller(),
            )
        shape = sides[name].type.tensor_type.shape.dim
        entries = (
            axes if isinstance(axes, Mapping) else {a: f"{name}_dynamic_axes_{a}" for a in axes}
        )
        for axis, label in entries.items():
            if not -len(shape) <= axis < len(shape) or not shape[axis].dim_param:
                what = [d.dim_param or d.dim_value for d in shape]
                raise ArgumentError(
                    f"onnx.export: axis {axis} of {name!r} has no symbolic size: {what}",
                    where=caller(),
                    hint="a size is symbolic where the program was made with gc.dim, or traced so",
                )
            renamed.setdefault(shape[axis].dim_param, str(label))
    for value in (*sides.values(), *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in renamed:
                dim.dim_param = renamed[dim.dim_param]


def _output_name(graph: Graph, program: Program, place: int, aliased: Mapping[int, int]) -> str:
    if place in aliased:
        return f"{graph.inputs[aliased[place]].name}_new"
    results: Sequence[int] = [k for k in range(len(graph.outputs)) if k not in aliased]
    paths = program._build.layout.tree.paths()
    path = "".join(c if c.isalnum() else "_" for c in paths[results.index(place)]).strip("_")
    return f"output_{path}" if path else "output"

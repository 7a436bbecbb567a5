"""What of a model is not supported: said all at once, before anything is built."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from onnx import ModelProto, NodeProto, defs

from graphc.core.origin import caller
from graphc.errors import FormatError, UnsupportedError
from graphc.onnx.files import nested
from graphc.onnx.table import find

# The opsets of ONNX's own operators that are read.
FIRST = 1
DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview", "com.microsoft")


@functools.cache
def schema_of(domain: str, name: str, opset: int) -> Any:
    """ONNX's record of an operator in an opset; None where it has none."""
    try:
        return defs.get_schema(name, opset, domain)
    except defs.SchemaError:
        return None


def is_supported(domain: str, name: str, opset: int) -> bool:
    """Whether an operator is read, by a rule or by the function that defines it."""
    schema = schema_of(domain, name, opset)
    if schema is None:
        return domain == "com.microsoft" and find(domain, name, 1) is not None
    if find(domain, name, schema.since_version) is not None:
        return True
    versions = [*schema.function_opset_versions, *schema.context_dependent_function_opset_versions]
    return any(v <= opset for v in versions)


def all_nodes(nodes: Any, depth: int = 0) -> Iterator[NodeProto]:
    """Nodes and those of the graphs in them."""
    if depth > 64:
        raise FormatError("graphs within each other, over 64 deep")
    for node in nodes:
        yield node
        for graph in nested(node):
            yield from all_nodes(graph.node, depth + 1)


def check_supported(model: ModelProto, functions: Mapping[Any, Any], label: str) -> None:
    """Refuse a model with operators that cannot be read, naming all of them.

    Raises:
        UnsupportedError: there are such.
        FormatError: it does not say which opsets it uses.
    """
    opsets = {"" if i.domain == "ai.onnx" else i.domain: i.version for i in model.opset_import}
    if not opsets:
        raise FormatError(f"{label}: it does not say which opset it is of")
    newest = defs.onnx_opset_version()
    if "" in opsets and not FIRST <= opsets[""] <= newest:
        raise UnsupportedError(
            f"{label}: opset {opsets['']}; opsets {FIRST} to {newest} are read", where=caller(),
            hint="convert it with onnx.version_converter.convert_version",
        )  # fmt: skip
    missing: dict[str, list[str]] = {}
    for node, imports in _with_opsets(model, functions, opsets):
        domain = "" if node.domain == "ai.onnx" else node.domain
        if (node.domain, node.op_type) in functions:
            continue
        if is_supported(domain, node.op_type, imports.get(domain, 1)):
            continue
        key = (
            f"{domain + ':' if domain else ''}{node.op_type} (opset {imports.get(domain, 'none')})"
        )
        missing.setdefault(key, []).append(node.name or (node.output[0] if node.output else "?"))
    if missing:
        raise UnsupportedError(
            f"{label}: {len(missing)} operators are not supported",
            [f"{key}: {_listed(names)}" for key, names in missing.items()],
            where=caller(),
            hint="gc.onnx.coverage() lists what is; a model function of that name and domain, or "
            "an export that avoids it, helps",
        )


def _with_opsets(model: ModelProto, functions: Mapping[Any, Any], opsets: Any) -> Iterator[Any]:
    for node in all_nodes(model.graph.node):
        yield node, opsets
    for function in functions.values():
        own = {"" if i.domain == "ai.onnx" else i.domain: i.version for i in function.opset_import}
        for node in all_nodes(function.node):
            yield node, {**opsets, **own}


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"

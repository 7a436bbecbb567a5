"""Operators that are functions of others: of the model, or as ONNX defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import FunctionProto, NodeProto

from graphc.onnx.values import SequenceValue


def body_of(schema: Any, node: NodeProto, inputs: list[Any], opset: int) -> FunctionProto | None:
    """The function that defines an operator, at the opset of the model where there is one."""
    versions = [v for v in schema.function_opset_versions if v <= opset]
    if versions:
        body = FunctionProto()
        body.ParseFromString(schema.get_function_with_opset_version(max(versions)))
        return body
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    if not versions:
        return None
    types = [_type_of(v).SerializeToString() if v is not None else b"" for v in inputs]
    data = schema.get_context_dependent_function_with_opset_version(
        max(versions), node.SerializeToString(), types
    )
    body = FunctionProto()
    body.ParseFromString(data)
    return body


def _type_of(value: Any) -> onnx.TypeProto:
    """ONNX's type of a value."""
    made = onnx.TypeProto()
    if isinstance(value, SequenceValue):
        made.sequence_type.elem_type.CopyFrom(_type_of(value.items[0]) if value.items else made)
        return made
    elem = value.elem or onnx.helper.np_dtype_to_tensor_dtype(value.dtype.numpy)
    shape = [s if isinstance(s, int) else None for s in value.shape]
    return onnx.helper.make_tensor_type_proto(elem, shape)


def actual(body: FunctionProto, node: NodeProto, schema: Any) -> dict[str, Any]:
    """The attributes that a function's body refers to, by name."""
    found = {proto.name: proto for proto in body.attribute_proto}
    if schema is not None:
        for name, spec in schema.attributes.items():
            if spec.default_value.name:
                found[name] = spec.default_value
    return {**found, **{proto.name: proto for proto in node.attribute}}


def filled(node: NodeProto, actual: Mapping[str, Any]) -> NodeProto:
    """A node of a function with the attributes of its use."""
    made = NodeProto()
    made.CopyFrom(node)
    del made.attribute[:]
    for proto in node.attribute:
        if proto.ref_attr_name:
            if proto.ref_attr_name not in actual:
                continue
            new = made.attribute.add()
            new.CopyFrom(actual[proto.ref_attr_name])
            new.name = proto.name
        else:
            new = made.attribute.add()
            new.CopyFrom(proto)
            for graph in ([new.g] if new.HasField("g") else []) + list(new.graphs):
                for k, inner in enumerate(graph.node):
                    graph.node[k].CopyFrom(filled(inner, actual))
    return made

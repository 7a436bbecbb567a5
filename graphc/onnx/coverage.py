"""Which of ONNX's operators are read and written: `coverage`."""

from __future__ import annotations

from onnx import defs

from graphc.onnx.table import RULES, find
from graphc.onnx.unsupported import FIRST, is_supported

# What is read so: by a rule of graphc's, by the function that defines it, not at all.
BY_RULE, BY_FUNCTION, NOT = "rule", "function", "-"


def table() -> list[tuple[str, int, str]]:
    """For each version of each operator that ONNX has: its name, the version, how it is read."""
    rows = []
    for schema in defs.get_all_schemas_with_history():
        if schema.deprecated or schema.domain not in ("", "ai.onnx.ml", "ai.onnx.preview.training"):
            continue
        name = f"{schema.domain}:{schema.name}" if schema.domain else schema.name
        if find(schema.domain, schema.name, schema.since_version) is not None:
            how = BY_RULE
        elif is_supported(schema.domain, schema.name, schema.since_version):
            how = BY_FUNCTION
        else:
            how = NOT
        rows.append((name, schema.since_version, how))
    extra = [(f"{d}:{n}", 1, BY_RULE) for d, n in RULES if d == "com.microsoft"]
    return sorted(rows + extra)


def coverage() -> str:
    """Operator by version: how `load` reads it.

    Returns:
        A table as text: each operator with the opsets in which it changed; what is read by a rule
        has no mark, by ONNX's own definition a `*`, what is not read stands in parentheses.

    Example:
        >>> import graphc as gc
        >>> [line for line in gc.onnx.coverage().splitlines() if line.startswith("Softplus ")]
        ['Softplus  1 22']
    """
    found: dict[str, list[str]] = {}
    marks = {BY_RULE: "{}", BY_FUNCTION: "{}*", NOT: "({})"}
    for name, version, how in table():
        found.setdefault(name, []).append(marks[how].format(version))
    count = sum(not all(v.startswith("(") for v in versions) for versions in found.values())
    head = f"{count} of {len(found)} operators are read, of opsets {FIRST} to " + str(
        defs.onnx_opset_version()
    )
    return "\n".join([head, *(f"{name}  {' '.join(v)}" for name, v in found.items())])

"""Reading a manifest without any trust in it.

Only what `manifest.write` makes is taken: other keys, other kinds, numbers out of range are
refused with a word on which.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from graphc.core.arguments import CASTINGS
from graphc.core.dtypes import BY_CODE
from graphc.core.files import no_constant, once
from graphc.core.layout import Layout
from graphc.core.origin import PHASES
from graphc.core.trees import Tree
from graphc.errors import ArchiveError
from graphc.jit.archive.manifest import (
    FORMAT,
    KINDS,
    OLDEST,
    SOURCES,
    STATE,
    VERSION,
    AcceptsRecord,
    CallRecord,
    InputRecord,
    Manifest,
    ProgramRecord,
    written_by,
)
from graphc.runtime import targets

MAX_MANIFEST = 64_000_000
LEVELS = ("O0", "O1", "O2", "O3")
_FORMS = {"one": None, "none": type(None), "list": list, "tuple": tuple, "dict": dict}


def read(data: bytes) -> Manifest:
    """The manifest that JSON describes.

    Raises:
        ArchiveError: it is not what `write` makes, or of a later version.
    """
    try:
        found = json.loads(data, object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"its manifest is no JSON: {error!s:.100}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ArchiveError("its manifest is not one of graphc")
    version: Any = found.get("version")
    by = found.get("written_by")
    by = by if isinstance(by, str) and len(by) < 80 and by.isprintable() else ""
    if not is_count(version) or not OLDEST <= version <= VERSION:
        raise ArchiveError(
            f"it is of version {version!r:.20}, which this graphc does not read",
            [f"it was written by {by}"] if by else (),
            hint=f"this graphc reads versions {OLDEST} to {VERSION}",
        )
    try:
        return _manifest(found)
    except ArchiveError as error:
        if by in ("", written_by()):
            raise
        raise ArchiveError(
            f"{error.what}; it was written by {by}, this is {written_by()}"
        ) from None
    except RecursionError:
        raise ArchiveError("its manifest is nested too deep") from None


class _Fields:
    """The fields of an object, each asked for once with the kind that it must have."""

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise ArchiveError(f"its manifest: {what} is {value!r:.60}")
        self.left, self.what = dict(value), what

    def take(self, name: str, check: Callable[[Any], bool]) -> Any:
        """A field's value.

        Raises:
            ArchiveError: it is not there, or `check` does not hold.
        """
        if name not in self.left:
            raise ArchiveError(f"its manifest: {self.what} has no {name}")
        value = self.left.pop(name)
        if not check(value):
            raise ArchiveError(f"its manifest: {name} of {self.what} is {value!r:.60}")
        return value

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        if self.left:
            raise ArchiveError(f"its manifest: {self.what} has {next(iter(self.left))!r:.60}")


def is_text(value: object) -> bool:
    """Whether a value is text of a reasonable length."""
    return isinstance(value, str) and len(value) <= 10_000


def is_count(value: object) -> bool:
    """Whether a value is a number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _is_number(value: object) -> bool:
    return value == -1 or is_count(value)


def _lists(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_any(value: object) -> bool:
    return True


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _manifest(found: object) -> Manifest:
    fields = _Fields(found, "the archive")
    fields.take("format", is_text)
    version = fields.take("version", is_count)
    members = {}
    for name, value in fields.take("members", lambda v: isinstance(v, dict)).items():
        member = _Fields(value, f"member {name!r:.60}")
        members[name] = (member.take("nbytes", is_count), member.take("sha256", _is_digest))
        member.done()
    programs = tuple(_read_program(p, version) for p in fields.take("programs", _lists(_is_any)))
    native = _Fields(fields.take("native", _is_any), "native")
    kernels = native.take("kernels", lambda v: isinstance(v, dict))
    if not all(_is_digest(k) and is_text(m) and m in members for k, m in kernels.items()):
        raise ArchiveError("its manifest: a native kernel has no key or no member")
    manifest = Manifest(
        members, programs, fields.take("single", lambda v: isinstance(v, bool)),
        fields.take("written_by", is_text), native.take("target", is_text), kernels,
    )  # fmt: skip
    native.done()
    fields.done()
    names = [p.name for p in programs]
    # Several of one name are the programs of one function, which tells them apart.
    lone = [p.name for p in programs if p.call is None or p.call.accepts is None]
    are_told = all(names.count(name) == 1 for name in lone)
    if not programs or not are_told or (manifest.single and len({*names}) != 1):
        raise ArchiveError("its manifest: its programs do not have names of their own")
    listed = {STATE, SOURCES, *(r.graph for p in programs for r in p.all()), *kernels.values()}
    if listed != set(members):
        odd = sorted(listed ^ set(members))[0]
        raise ArchiveError(f"its manifest: member {odd!r:.60} is missing, or nothing uses it")
    return manifest


def _read_program(value: object, version: int) -> ProgramRecord:
    fields = _Fields(value, "a program")
    name = fields.take("name", lambda v: is_text(v) and len(v) <= 200)
    fields.what = f"program {name!r:.60}"
    inputs = tuple(_read_input(i, version) for i in fields.take("inputs", _lists(_is_any)))
    origins = fields.take("origins", _lists(_is_origin))
    pairs = _lists(lambda v: _lists(is_count)(v) and len(v) == 2 and v[1] < len(origins))
    call = fields.take("call", _is_any)
    record = ProgramRecord(
        name,
        fields.take("graph", lambda v: is_text(v) and v.endswith(".txt")),
        inputs,
        _read_layout(fields, sum(i.kind == "input" for i in inputs), version),
        _read_options(fields.take("options", _is_any)),
        tuple(map(tuple, origins)),
        tuple((line, origin) for line, origin in fields.take("lines", pairs)),
        fields.take("certificate", _is_any),
        None if call is None else _read_call(call, version),
        _read_program(fields.take("first", _is_any), version) if "first" in fields.left else None,
    )
    fields.done()
    if any(i.origin >= len(origins) for i in inputs):
        raise ArchiveError("its manifest: an input comes from a line that it does not have")
    return record


def _is_origin(value: object) -> bool:
    return (
        isinstance(value, list) and 3 <= len(value) <= 300 and is_count(value[0])
        and is_count(value[1]) and all(map(is_text, value[2:]))
        and (len(value) == 3 or value[3] in PHASES)
    )  # fmt: skip


def _read_input(value: object, version: int) -> InputRecord:
    fields = _Fields(value, "an input")
    kinds = ("input", "parameter", "constant")
    record = InputRecord(
        fields.take("kind", lambda v: v in kinds), fields.take("name", is_text),
        fields.take("type", is_text), fields.take("state", is_text),
        fields.take("origin", _is_number),
        version > 2 and fields.take("fixed", lambda v: isinstance(v, bool)),
    )  # fmt: skip
    fields.done()
    is_given = version > 2 and record.kind == "input" and record.state != ""
    if (record.kind == "input") is not (record.state == "") and not is_given:
        raise ArchiveError(f"its manifest: the state of {record.kind} {record.name!r:.60}")
    return record


def _read_layout(program: _Fields, count: int, version: int) -> Layout:
    """The forms of what goes in and out of a program of `count` inputs."""
    if version < 3:
        return _read_flat(program.take("results", _is_any))
    takes = program.take("takes", lambda v: v is None or _lists(_is_argument)(v))
    read = None if takes is None else tuple((key, _read_tree(tree)) for key, tree in takes)
    if read is not None and sum(tree.count for _, tree in read) != count:
        raise ArchiveError("its manifest: its arguments are not its inputs")
    casting = "equiv"
    if "casting" in program.left:
        casting = program.take("casting", lambda v: v in CASTINGS)
    return Layout(_read_tree(program.take("results", _is_any)), read, casting=casting)


def _is_argument(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_text(value[0])


def _read_flat(value: object) -> Layout:
    """The results' form as it was written before they could be nested."""
    fields = _Fields(value, "results")
    form = _FORMS[fields.take("form", lambda v: isinstance(v, str) and v in _FORMS)]
    keys = tuple(map(_scalar, fields.take("keys", _lists(_is_any))))
    fields.done()
    if (form is not dict and keys) or len(set(keys)) != len(keys):
        raise ArchiveError("its manifest: the keys of the results")
    many = Tree(form, keys, (Tree(),) * len(keys))
    return Layout(many if form is dict else Tree(form))


def _scalar(value: object) -> Any:
    """What `plain` wrote."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list) and len(value) == 1 and value[0] in ("inf", "-inf", "nan"):
        return float(value[0])
    raise ArchiveError(f"its manifest: {value!r:.60} is no number and no text")


def _read_options(value: object) -> dict[str, Any]:
    fields = _Fields(value, "options")
    options = {
        "level": fields.take("level", lambda v: v in LEVELS),
        "threads": fields.take("threads", lambda v: v is None or (is_count(v) and v >= 1)),
        "target": fields.take("target", lambda v: v in targets.names()),
        "fast_math": fields.take("fast_math", lambda v: isinstance(v, bool)),
    }
    fields.done()
    return options


def _read_call(value: object, version: int) -> CallRecord:
    fields = _Fields(value, "call")
    accepts = None if version == 1 else fields.take("accepts", _is_any)
    results = fields.take("results", _lists(lambda v: isinstance(v, list) and len(v) == 2))
    record = CallRecord(
        fields.take("form", is_text),
        tuple(fields.take("places", _lists(is_count))),
        tuple(fields.take("used", _lists(is_count))),
        tuple((how, _scalar(what)) for how, what in results),
        _read_tree(fields.take("tree", _is_any)),
        None if accepts is None else _read_accepts(accepts),
    )
    fields.done()
    if record.accepts is not None and not _fits(record, record.accepts):
        raise ArchiveError("its manifest: call does not fit what it accepts")
    if not all(how in ("out", "state", "value") for how, _ in record.results):
        raise ArchiveError("its manifest: a result of call")
    if any(k >= len(record.places) for k in record.used) or record.tree.count != len(results):
        raise ArchiveError("its manifest: call does not fit its results")
    return record


def _read_accepts(value: object) -> AcceptsRecord:
    fields = _Fields(value, "accepts")
    pair = _lists(lambda v: isinstance(v, list) and len(v) == 2)
    leaves = fields.take("leaves", pair)
    types = fields.take("types", pair)
    signature = fields.take("signature", lambda v: v is None or isinstance(v, list))
    record = AcceptsRecord(
        _read_tree(fields.take("tree", _is_any)),
        tuple((how, what if how == "tensor" else _scalar(what)) for how, what in leaves),
        tuple((dtype, tuple(map(_read_size, shape))) for dtype, shape in types),
        tuple(fields.take("requires", _lists(lambda v: v in (0, 1, 2)))),
        None if signature is None else tuple(map(_read_parameter, signature)),
        tuple((t, k) for t, k in fields.take("writes", _lists(_is_pair))),
    )
    fields.done()
    return record


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_count, value))


def _read_size(value: Any) -> Any:
    """A number, or the name and the smallest number of a symbolic size."""
    if is_count(value):
        return value
    is_pair = isinstance(value, list) and len(value) == 2
    if is_pair and is_text(value[0]) and value[0].isidentifier() and is_count(value[1]):
        return tuple(value)
    raise ArchiveError(f"its manifest: the size {value!r:.60} of an argument")


def _read_parameter(value: object) -> tuple[str, str, tuple[Any, ...]]:
    if isinstance(value, list) and len(value) == 3 and isinstance(value[2], list):
        name, kind, default = value
        if is_text(name) and name.isidentifier() and kind in KINDS and len(default) <= 1:
            return name, kind, tuple(map(_scalar, default))
    raise ArchiveError(f"its manifest: the parameter {value!r:.60}")


def _fits(call: CallRecord, accepts: AcceptsRecord) -> bool:
    """Whether what is said of arguments fits together."""
    forms = [part.form for part in accepts.tree.parts]
    tensors = [what for how, what in accepts.leaves if how == "tensor"]
    places = [k for k, (how, _) in enumerate(accepts.leaves) if how == "tensor"]
    count = len(accepts.types)
    return (
        accepts.tree.form is tuple and forms == [list, dict]
        and all(how in ("tensor", "value") for how, _ in accepts.leaves)
        and accepts.tree.count == len(accepts.leaves) and places == list(call.places)
        and all(map(is_count, tensors)) and list(dict.fromkeys(tensors)) == list(range(count))
        and len(accepts.requires) == count and all(k < count for k in call.used)
        and all(t < count for t, _ in accepts.writes)
        and all(dtype in BY_CODE and isinstance(dtype, str) for dtype, _ in accepts.types)
        and str(accepts.tree) == call.form
    )  # fmt: skip


def _read_tree(value: object) -> Tree:
    if value == "leaf":
        return Tree()
    if value == "none":
        return Tree(type(None))
    if not isinstance(value, list) or len(value) != 3 or value[0] not in ("dict", "list", "tuple"):
        raise ArchiveError(f"its manifest: the form {value!r:.60}")
    form, keys, parts = value
    if not isinstance(keys, list) or not isinstance(parts, list):
        raise ArchiveError(f"its manifest: the form {value!r:.60}")
    names = tuple(map(_scalar, keys))
    if len(set(names)) != len(names) or len(names) != (len(parts) if form == "dict" else 0):
        raise ArchiveError(f"its manifest: the keys {keys!r:.60}")
    return Tree(_FORMS[form], names, tuple(map(_read_tree, parts)))

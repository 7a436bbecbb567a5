"""The API reference, made of the live objects: a page for each module that exports something.

The classes of `graphc` itself that have methods have pages of their own. Nothing here is a list
of names: what is public is in `public`, what is said of it in the docstrings.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import public

# What headings within a docstring are, and how they read on a page.
SECTIONS = {
    "Args": "Arguments", "Attributes": "Attributes", "Returns": "Returns", "Yields": "Yields",
    "Raises": "Raises", "Example": "Example", "Examples": "Example", "Note": "Note",
}  # fmt: skip
_TITLE = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)
_ITEM = re.compile(r"^([\w*, .]+): (.*)", re.DOTALL)


def pages() -> dict[str, str]:
    """The pages of the reference in Markdown, by their paths."""
    found = {}
    for module in public.MODULES:
        named = dict(public.things(module))
        owners = {name.rpartition(".")[0] for name in named}
        alone = [name for name in named if module == "graphc" and name in owners]
        for name in alone:
            own = {n: t for n, t in named.items() if n == name or n.startswith(f"{name}.")}
            found[path_of(name)] = "\n".join([f"# {name}\n", *_entries(own)])
            named = {n: t for n, t in named.items() if n not in own}
        head = f"# {module}\n\n{prose(inspect.getdoc(import_module(module)) or '')}\n"
        found[path_of(module)] = "\n".join([head, *_entries(named)])
    return found


def path_of(name: str) -> str:
    """The path of the page of a module, or of a class that has one."""
    return f"reference/{name}.md"


def _entries(named: dict[str, Any]) -> Iterator[str]:
    """What is said of each thing; things of one docstring, a function's names, stand together."""
    together: dict[str, list[str]] = {}
    for name, thing in named.items():
        text = inspect.getdoc(thing) or ""
        together.setdefault(text or name, []).append(name)
    for text, names in sorted(together.items(), key=lambda entry: entry[1][0].lower()):
        thing = named[names[0]]
        owner = named.get(names[0].rpartition(".")[0])
        for other in names[1:]:
            yield f'<a id="{other}"></a>'
        titles = ", ".join(f"`{_short(name)}`" for name in names)
        yield f"{'###' if owner else '##'} {titles} {{ #{names[0]} }}\n"
        if shown := _signature(names[0].rpartition(".")[2], thing, owner):
            yield f"```python\n{shown}\n```\n"
        yield described(text)


def _short(name: str) -> str:
    return name.removeprefix("graphc.core.operators.").removeprefix("graphc.")


def _signature(name: str, thing: Any, owner: Any) -> str:
    """How it is called; nothing where the name says it all, as of a property."""
    kind = inspect.getattr_static(owner, name) if owner else None
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    if isinstance(kind, property | functools.cached_property):
        return ""
    parameters = [_bare(p) for p in signature.parameters.values()]
    if owner and not isinstance(kind, staticmethod):
        parameters = parameters[1:]
    shown = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return re.sub(r": '([^']*)'", r": \1", f"{name}{shown}")


def _bare(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter without the annotation that says nothing."""
    says_nothing = parameter.annotation in ("Any", Any)
    return parameter.replace(annotation=inspect.Parameter.empty) if says_nothing else parameter


def described(text: str) -> str:
    """A docstring as Markdown: arguments as lists, examples as sessions."""
    first, *rest = _TITLE.split(text)
    parts = [prose(first)]
    for title, body in zip(rest[::2], rest[1::2]):
        body = inspect.cleandoc("\n" + body)
        session = f"```pycon\n{body}\n```" if title.startswith("Example") else _listed(body)
        parts.append(f"**{SECTIONS[title]}**\n\n{session}\n")
    return "\n".join(parts)


def _listed(body: str) -> str:
    """The entries of a section: each begins at the margin, and goes on where it is indented."""
    entries = re.split(r"\n(?=\S)", body)
    if not all(_ITEM.match(entry) for entry in entries):
        return prose(body)
    lines = []
    for entry in entries:
        name, said = _ITEM.match(entry).groups()  # type: ignore[union-attr]
        lines.append(f"- `{name}`: {prose(' '.join(said.split()))}")
    return "\n".join(lines)


def prose(text: str) -> str:
    """Prose: what Markdown would take for its own, outside of code, is escaped."""
    groups = itertools.groupby(text.split("\n"), lambda line: line.startswith(("    ", "|")))
    parts = ["\n".join(lines) if code else _escaped("\n".join(lines)) for code, lines in groups]
    return "\n".join(parts)


def _escaped(text: str) -> str:
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([*_<>\[\]])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)

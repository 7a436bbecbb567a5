"""The contrast as one HTML page: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from graphc import text, viz
from graphc.contrasting import report
from graphc.contrasting.tape import tape
from graphc.program.report import time_text

if TYPE_CHECKING:
    from graphc.contrasting.result import Contrast

# Pictures of graphs beyond this are too large to look at, and slow to lay out.
MOST_NODES = 1500
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5a6572; --line: #d7dde3;
  --ground: #ffffff; --panel: #f5f7f9; --python: #c77d1e; --kernels: #2f7d5b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa6b2; --line: #38414a;
  --ground: #14181c; --panel: #1d2329; --python: #e0a24e; --kernels: #58b389; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.25rem 4rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; }
p { margin: .4rem 0; max-width: 46rem; } .soft { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem;
  border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); } tbody th { font-weight: 500; min-width: 15rem; }
td:last-child { font-weight: 600; }
.small td:last-child { font-weight: 400; text-align: right; white-space: nowrap; }
.small td:first-child { white-space: nowrap; }
.wide { overflow-x: auto; } .bars { display: grid; grid-template-columns: 6rem 1fr 11rem;
  gap: .45rem .8rem; align-items: center; }
.bar { display: flex; height: 1.3rem; } .bar i { display: block; }
.python { background: var(--python); } .kernels { background: var(--kernels); }
.both { background: var(--soft); }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .35rem 0 .8rem; }
li { margin: .15rem 0; } li pre { margin: .3rem 0; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0;
  background: var(--panel); } summary { cursor: pointer; padding: .5rem .8rem; font-weight: 500; }
details > div { overflow: auto; max-height: 40rem; padding: 0 .8rem .8rem; }
pre { font: 13px/1.4 ui-monospace, monospace; margin: 0; white-space: pre; }
svg { display: block; height: auto; background: #ffffff; }
"""


def html(found: Contrast) -> str:
    """The whole page."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(found.name)}: eager, traced, compiled</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(found.name)}: eager, traced, compiled</h1>",
        f'<p class="soft">{escape(report.machine())}</p>',
        f"<p>{escape(_sentence(found))}</p>",
        *_bars(found),
        *_table(found),
        "<h2>Branches and values</h2>", *_list(report.branches(found)),
        "<h2>Other arguments</h2>", *_list(report.recompilations(found)),
    ]  # fmt: skip
    if notes := report.remarks(found):
        parts += ["<h2>Remarks</h2>", *_list(notes)]
    if found.assumes:
        parts += ["<h2>What the program assumes</h2>", *_list(report.assumptions(found))]
    parts += ["<h2>The dynamic graph</h2>", *_dynamic(found)]
    parts += ["<h2>The static graph</h2>", *_static(found)]
    return "\n".join([*parts, "</body></html>", ""])


def _sentence(found: Contrast) -> str:
    """What the figures come to."""
    eager, compiled = found.eager, found.compiled
    if compiled.refused:
        return report.verdict(found)
    share = eager.python_s / eager.call_s if eager.call_s else 0.0
    times = eager.call_s / compiled.call_s if compiled.call_s else 0.0
    same = compiled.results is not None and compiled.results.is_exact
    return (
        f"{report.verdict(found)} "
        f"Eagerly, Python dispatches {eager.operations} operations a call and takes {share:.0%} of "
        f"its time. Compiled, the call is one program of {compiled.launches} kernels, and takes "
        f"{time_text(compiled.call_s)} instead of {time_text(eager.call_s)} ({times:.1f} times as "
        f"fast), after {time_text(compiled.first_s)} to the first result. "
        + ("The results are equal to the last bit." if same else "")
    )


def _bars(found: Contrast) -> list[str]:
    longest = max((s.call_s for s in found.sides if not s.refused), default=0.0)
    lines = [
        '<h2>Time of a call<span class="key python"></span><span class="soft">in Python</span>'
        '<span class="key kernels"></span><span class="soft">in kernels</span>'
        '<span class="key both"></span><span class="soft">not told apart</span></h2>',
        '<div class="bars">',
    ]
    for side in found.sides:
        if side.refused or not longest:
            continue
        parts = {"python": side.python_s, "kernels": side.kernels_s}
        if side is found.traced and found.traced_by == "reference":
            parts = {"both": side.call_s}
        pieces = "".join(
            f'<i class="{name}" style="width:{100 * part / longest:.2f}%"></i>'
            for name, part in parts.items()
        )
        lines.append(
            f'<span>{escape(side.title)}</span><span class="bar">{pieces}</span>'
            f"<span>{time_text(side.call_s)}</span>"
        )
    return [*lines, "</div>"]


def _table(found: Contrast) -> list[str]:
    heads = "".join(f"<th>{escape(h)}</th>" for h in report.headings(found))
    lines = [f'<h2>Figures</h2><div class="wide"><table><thead><tr><th></th>{heads}</tr></thead>']
    lines.append("<tbody>")
    for label, cells in report.rows(found):
        note = report.meaning(label)
        small = f'<div class="soft">{escape(note)}</div>' if note else ""
        values = "".join(f"<td>{escape(c)}</td>" for c in cells)
        lines.append(f"<tr><th>{escape(label)}{small}</th>{values}</tr>")
    return [*lines, "</tbody></table></div>"]


def _list(lines: list[str]) -> list[str]:
    items = []
    for line in lines:
        first, _, rest = line.partition("\n")
        more = f"<pre>{escape(rest)}</pre>" if rest else ""
        items.append(f"<li>{escape(first)}{more}</li>")
    most = report.MOST_ITEMS
    shown = ["<ul>", *items[:most], "</ul>"]
    if further := items[most:]:
        shown += _details(f"{len(further)} more", "<ul>" + "\n".join(further) + "</ul>")
    return shown


def _dynamic(found: Contrast) -> list[str]:
    lines = [
        "<p>Made anew at every call, while Python runs: green operations forward, orange ones "
        "backward, purple ones the optimizer's. An arrow leads from a result to its use.</p>"
    ]
    rows = [
        (f"{k}. {o.name}", o.phase, ", ".join(map(_type, o.operands)),
         ", ".join(map(_type, o.results)), str(o.origin or ""))
        for k, o in enumerate(found.record, 1)
    ]  # fmt: skip
    heads = ("operation", "phase", "operands", "results", "line")
    title = f"The {len(rows)} operations of a call, in order"
    lines += _details(title, _small(heads, rows))
    if 0 < len(found.record) <= MOST_NODES:
        picture = viz.svg(tape(f"{found.name}, eager", found.record))
        lines += _details("Picture", picture, is_open=True)
    return lines


def _static(found: Contrast) -> list[str]:
    program = found.program
    if program is None:
        return ["<p>There is none.</p>"]
    before, after = program.history[0][1], program.history[-1][1]
    lines = [
        f"<p>Made once: {found.compiled.nodes} operations as traced, {len(after.nodes)} nodes "
        f"after the passes, {found.compiled.launches} kernels a call. Boxes with a dashed border "
        "are fused kernels, with what they compute inside.</p>"
    ]
    steps = [(name, time_text(t)) for name, t in report.launched(found)]
    lines += _details("Kernels of a call, and their times", _small(("kernel", "time"), steps))
    for title, graph in (("Picture as traced", before), ("Picture after the passes", after)):
        if len(graph.nodes) <= MOST_NODES:
            lines += _details(title, viz.svg(graph), is_open=graph is after)
    lines += _details("As traced, as text", f"<pre>{escape(text.show(before))}</pre>")
    lines += _details("After the passes, as text", f"<pre>{escape(text.show(after))}</pre>")
    lines += _details("What the compiler did", f"<pre>{escape(program.explain())}</pre>")
    for name, source in program.kernels.items():
        lines += _details(f"Kernel {name}", f"<pre>{escape(source)}</pre>")
    return lines


def _small(heads: tuple[str, ...], rows: list[Any]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f'<table class="small"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _details(title: str, content: str, *, is_open: bool = False) -> list[str]:
    state = " open" if is_open else ""
    return [f"<details{state}><summary>{escape(title)}</summary><div>{content}</div></details>"]


def _type(array: Any) -> str:
    return f"{array.dtype.name}{list(array.shape)}"


__all__ = ["MOST_NODES", "html"]

"""The film strip as one page that needs no network: passes, kernels, memory, time.

The model is data alone, packed; all texts in it are shown as text, none is ever markup.
"""

from __future__ import annotations

import base64
import json
import zlib
from importlib.resources import files
from typing import Any

from graphc.viz.html import POLICY
from graphc.viz.svg import text

KEYS = (
    "← → passes · ↑ ↓ nodes · click or Enter: the node's kernel · /: search · + −: zoom · "
    "click a scope: fold · d: dark or light"
)
SIGNS = (
    "+ added", "× removed", "= one with another", "▸ fused into a kernel", "solid: forward",
    "dashed: backward", "dotted: optimizer", "thick: a kernel",
)  # fmt: skip
TABS = ("node", "rules", "kernels", "memory", "time")


def page_of(name: str, model: dict[str, Any]) -> str:
    """The page.

    Args:
        name: of the program.
        model: see `graphc.program.film`.
    """
    packed = zlib.compress(json.dumps(model, separators=(",", ":")).encode(), 9)
    data = base64.b64encode(packed).decode()
    folder = files(__package__)
    style, script = ((folder / f"strip.{kind}").read_text("utf-8") for kind in ("css", "js"))
    tabs = "".join(f'<button role="tab" id="tab-{tab}">{tab}</button>' for tab in TABS)
    signs = "".join(f"<span>{sign}</span>" for sign in SIGNS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{text(name)}</title>
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body><header><h1>{text(name)}</h1><label>pass <input id="slider" type="range" min="0" max="0"
value="0" aria-describedby="stage"></label><output id="stage"></output>
<input id="search" type="search" placeholder="search (/)" aria-label="search">
<button id="theme">dark / light</button></header>
<main><section id="graph" aria-label="nodes of the graph"></section>
<aside><nav role="tablist">{tabs}</nav><div id="panel" aria-live="polite"></div></aside></main>
<footer>{signs}<small>{KEYS}</small></footer>
<script type="application/octet-stream" id="model">{data}</script>
<script>{script}</script></body></html>
"""


__all__ = ["page_of"]

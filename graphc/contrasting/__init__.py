"""The contrast: one function run eagerly, traced and compiled, as a report.

found = gc.contrast(step, x, y)
print(found)               # Markdown
found.save("out")          # Markdown and a self-contained HTML page
"""

from graphc.contrasting.measure import contrast
from graphc.contrasting.report import summary
from graphc.contrasting.result import Contrast, Recompilation, Side

__all__ = ["Contrast", "Recompilation", "Side", "contrast", "summary"]

"""Why two nodes stay in kernels of their own, what one would save, what a user may change."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc import text
from graphc.core.dims import Size
from graphc.core.ir import Graph, Node
from graphc.networks import to_networkx
from graphc.passes.fusion.cluster import Cluster

# What to do about a reason, by words of it.
ADVICE = (
    ("is a contraction", "nothing: it reads operands through views, and packs them for itself"),
    ("is a library kernel", "nothing, unless something elementwise does: a mask for a sort"),
    ("is a loop or a branch", "move what is computed before or after it into its body"),
    ("is a copy", "read the parts apart instead of joining them, or join later"),
    ("does not fit in cache", "split the axis: reduce over parts first, then over their results"),
    ("does not lie in one piece", "reduce over the last axes, or transpose the operand before"),
    ("over different axes", "reduce over the same axes, or in the order of the axes"),
    ("all rows first", "reduce over the last axes first"),
    ("reduction over rows", "reduce over all axes at once"),
    ("again", "nothing: one kernel would compute more than it saves in memory"),
    ("at other places", "compute it before it is shifted, repeated or gathered"),
    ("run along two at once", "transpose one of the two uses"),
    ("do not share loops", "give the results one shape, or compile them apart"),
    ("cycle", "nothing, or compute what lies between before both"),
    ("through a third kernel", "nothing: the third kernel needs one and gives the other"),
    ("ops already", "nothing: longer kernels run out of registers"),
    ("more than", "nothing: longer kernels run out of registers"),
    ("tensors already", "nothing: more streams than the machine follows at once"),
    ("can fail", "check before the update: gc.check, or mode='clip'"),
    ("updates run together", "nothing: a parameter is written when nobody reads it any more"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A producer and a consumer that stay in kernels of their own, and why.

    Attributes:
        cluster: the one that the consumer did not join.
        saved: the bytes of memory traffic that one kernel would save: the consumer would not read
            the producer's result, and nobody would write it where no other needs it.
    """

    producer: Node
    consumer: Node
    reason: str
    cluster: Cluster | None = None
    saved: Size = 0

    @property
    def advice(self) -> str:
        """What the user could change."""
        return next((advice for words, advice in ADVICE if words in self.reason), "")

    def __str__(self) -> str:
        return f"{self.producer!r} and {self.consumer!r}: {self.reason}"


def with_way(refusal: Refusal, graph: Graph, cluster: Cluster) -> Refusal:
    """A refusal because of a cycle, with the ops that lead out of the kernel and back to it.

    Args:
        refusal: of `graph`.
        graph: before fusion.
        cluster: the kernel that the consumer did not join.
    """
    import networkx

    names = text.names(graph)
    arrows = networkx.DiGraph(to_networkx(graph))
    kernel = [names[member] for member in cluster.members]
    consumer = names[refusal.consumer]
    arrows.remove_edges_from([(name, consumer) for name in kernel])
    _, way = networkx.multi_source_dijkstra(arrows, kernel, consumer)
    ops = " -> ".join(arrows.nodes[name]["op"] for name in way)
    return replace(refusal, reason=f"{refusal.reason}: {ops}")


__all__ = ["ADVICE", "Refusal", "with_way"]

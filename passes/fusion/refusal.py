"""Why two nodes stay in kernels of their own, what one would save, what a user may change."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.core.dims import Size
from graphc.core.ir import Node
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


def with_way(refusal: Refusal, users: Mapping[Node, Sequence[Node]], cluster: Cluster) -> Refusal:
    """A refusal because of a cycle, with the ops that lead out of the kernel and back to it.

    Args:
        refusal: of a graph.
        users: of its nodes.
        cluster: the kernel that the consumer did not join.
    """
    consumer, found = refusal.consumer, dict[Node, Node | None].fromkeys(cluster.members)
    queue = deque(cluster.members)
    while queue and consumer not in found:
        node = queue.popleft()
        for user in users[node]:
            is_direct = user is consumer and found[node] is None
            if user not in found and not is_direct:
                found[user] = node
                queue.append(user)
    way: list[str] = []
    at: Node | None = consumer
    while at is not None:
        way.append(at.op.name)
        at = found.get(at)
    return replace(refusal, reason=f"{refusal.reason}: {' -> '.join(reversed(way))}")


__all__ = ["ADVICE", "Refusal", "with_way"]

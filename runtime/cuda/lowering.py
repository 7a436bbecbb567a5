"""How the nodes of a graph become kernels for blocks of threads.

Not here: ops of which each needs another library on the host (factorizations, printing).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.core.ir import Graph, Library, Node, tensor_type
from graphc.errors import UnsupportedError
from graphc.runtime.base.step import Step, Value
from graphc.runtime.contract.lower import lower_contract
from graphc.runtime.cuda.body import plain_steps
from graphc.runtime.cuda.products import in_tiles
from graphc.runtime.cuda.threads import a_turn_each
from graphc.runtime.fused.fused_kernel import lower_body
from graphc.runtime.lower import Native
from graphc.runtime.nests.lapack import LAPACK

# Ops whose kernels are functions of the host.
ON_HOST = frozenset({*LAPACK, "permutation", "print"})


class Cuda(Native):
    """Kernels in the language "cuda": `extent` is the blocks of a step, `grain` their threads."""

    def body(  # type: ignore[override]
        self,
        node: Node,
        graph: Graph,
        operands: Sequence[Value],
        inplace: Sequence[tuple[int, int]] = (),
    ) -> list[Step]:
        """The steps of a body; see `body`."""
        return lower_body(node, graph, operands, inplace, plain_steps)

    def contract(self, node: Node, value_of: Callable[[Node], Value]) -> list[Step]:  # type: ignore[override]
        """The steps of a contraction: products of floats in tiles, others as plain loops."""
        steps = lower_contract(node, value_of, is_plain=True)
        is_product = isinstance(node.op.lowering, Library) and node.op.lowering.name == "matmul"
        if is_product and tensor_type(node).dtype.is_float:
            return [in_tiles(step, node) for step in steps]
        return steps

    def nest(self, node: Node) -> list[Step]:
        """See `nests.table`.

        Raises:
            UnsupportedError: the op runs on the host alone.
        """
        fact = node.op.lowering
        if isinstance(fact, Library) and fact.name in ON_HOST:
            raise UnsupportedError(
                f"cuda: {node.op.name} has no kernel for CUDA devices yet",
                where=node.origin or "",
                hint='compile this program with target="cpu"',
            )
        return super().nest(node)

    def shared(self, steps: list[Step]) -> list[Step]:  # type: ignore[override]
        """The same steps, those of kernels for the CPU as kernels of threads."""
        return [
            a_turn_each(step) if step.kernel.language == "kernel" else step
            for step in Native.shared(steps)
        ]


CUDA = Cuda()

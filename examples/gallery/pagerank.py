"""PageRank: power iteration in a `gc.while_loop` until nothing changes any more."""

import numpy as np

import graphc as gc


def main(pages=30, damping=0.85, tolerance=1e-12):
    rng = np.random.default_rng(10)
    links = rng.random((pages, pages)) < 0.15
    links[np.arange(pages), (np.arange(pages) + 1) % pages] = True

    a = gc.input("links", (gc.dim("n"), gc.dim("n")), gc.float64)
    n = a.shape[0]
    moves = (a / gc.sum(a, axis=1, keepdims=True)).T
    uniform = gc.ones((n,), gc.float64) / n

    def unsettled(state):
        _, change, _ = state
        return change > tolerance

    def turn(state):
        rank, _, count = state
        new = damping * (moves @ rank) + (1 - damping) * uniform
        return new, gc.sum(gc.abs(new - rank)), count + 1

    start = (uniform, gc.constant(1.0), gc.constant(0))
    rank, _, count = gc.while_loop(unsettled, turn, start)
    found, turns = gc.compile([a], [rank, count])(links.astype(np.float64))
    print(f"{turns} turns; best pages {np.argsort(-found)[:5]}")
    return {"links": links, "rank": found, "turns": int(turns)}


if __name__ == "__main__":
    main()

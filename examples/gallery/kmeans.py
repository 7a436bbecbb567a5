"""K-means by a while loop that ends when no point changes its cluster."""

import numpy as np

import graphc as gc


def main(samples=120, clusters=4):
    rng = np.random.default_rng(17)
    data = rng.standard_normal((samples, 2)) + 4 * rng.integers(0, 2, (samples, 2))
    x = gc.input("x", (gc.dim("n", min=clusters), 2), gc.float64)

    def nearest(centres):
        return gc.argmin(gc.sum((x[:, None] - centres) ** 2, axis=2), axis=1)

    def turn(state):
        centres, own, _, turns = state
        member = gc.one_hot(own, clusters, dtype=gc.float64)
        centres = (member.T @ x) / gc.maximum(gc.sum(member, axis=0), 1)[:, None]
        new = nearest(centres)
        return centres, new, gc.any(gc.not_equal(new, own)), turns + 1

    first = x[:clusters]
    start = (first, nearest(first), gc.constant(True), gc.constant(0))
    centres, own, _, turns = gc.while_loop(lambda s: s[2], turn, start)
    found = gc.compile([x], [centres, own, turns])(data)
    print(f"{found[2]} turns; centres\n{found[0].round(2)}")
    return {"data": data, "centres": found[0], "own": found[1]}


if __name__ == "__main__":
    main()

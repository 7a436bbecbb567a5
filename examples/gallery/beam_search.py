"""Beam search over a Markov chain: the width of the beam and the number of steps are inputs."""

import numpy as np

import graphc as gc


def main(states=6, width=3, steps=5):
    first = gc.input("first", (states,), gc.float64)  # log-probabilities
    table = gc.input("table", (states, states), gc.float64)
    count = gc.input("width", (), gc.int64)
    beam = gc.dim(count, min=1, max=states)
    length = gc.input("steps", (), gc.int64)

    scores, words = gc.topk(first, beam)

    def extend(carry, _):
        scores, words = carry
        ways = gc.reshape(scores[:, None] + table[words], (beam * states,))
        best, places = gc.topk(ways, beam)
        parents, new = places // states, places % states
        return (best, new), (parents, new)

    (scores, _), (parents, steps_) = gc.scan(extend, (scores, words), length=length)
    # Back along the parents, the last step first.
    trace = gc.arange(beam)
    trace, path = gc.scan(
        lambda at, x: (x[0][at], x[1][at]), trace, (parents, steps_), reverse=True
    )
    paths = gc.transpose(gc.concat([words[trace][None], path], 0))
    run = gc.compile([first, table, count, length], [scores, paths])

    rng = np.random.default_rng(2)
    start = np.log(rng.dirichlet(np.ones(states)))
    moves = np.log(rng.dirichlet(np.ones(states), states))
    found, ways = run(start, moves, width, steps)
    print(f"the best of {width}: {ways[0].tolist()}, log-probability {found[0]:.3f}")
    return {"first": start, "table": moves, "scores": found, "paths": ways}


if __name__ == "__main__":
    main()

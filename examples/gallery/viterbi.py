"""Viterbi's algorithm: the likeliest states of a hidden Markov model, forth and back by scans."""

import numpy as np

import graphc as gc


def main(states=3, symbols=4, length=8):
    rng = np.random.default_rng(14)
    move = np.log(rng.dirichlet(np.ones(states), states))
    show = np.log(rng.dirichlet(np.ones(symbols), states))
    first = np.log(rng.dirichlet(np.ones(states)))
    seen = rng.integers(0, symbols, length)

    y = gc.input("y", (gc.dim("t", min=2),), gc.int64)
    a, b = gc.constant(move), gc.constant(show)

    def forth(score, symbol):
        ways = score[:, None] + a
        return gc.max(ways, axis=0) + b[:, symbol], gc.argmax(ways, axis=0)

    score, origins = gc.scan(forth, gc.constant(first) + b[:, y[0]], y[1:])

    def back(state, origin):
        return origin[state], state

    end = gc.argmax(score)
    begin, later = gc.scan(back, end, origins, reverse=True)
    path = gc.concat([begin[None], later], axis=0)
    best, found = gc.compile([y], [gc.max(score), path])(seen)
    print(f"log probability {best:.4f}, path {found}")
    return {"move": move, "show": show, "first": first, "seen": seen, "best": best, "path": found}


if __name__ == "__main__":
    main()

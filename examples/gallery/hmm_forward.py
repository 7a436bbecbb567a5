"""The forward algorithm of a hidden Markov model; posteriors are the gradient of its result."""

import numpy as np

import graphc as gc


def main(states=3, symbols=4, length=6):
    rng = np.random.default_rng(15)
    move = np.log(rng.dirichlet(np.ones(states), states))
    first = np.log(rng.dirichlet(np.ones(states)))
    show = np.log(rng.dirichlet(np.ones(symbols), states))
    seen = rng.integers(0, symbols, length)

    likely = gc.input("likely", (gc.dim("t", min=2), states), gc.float64)
    a = gc.constant(move)

    def step(alpha, log_likelihood):
        return gc.logsumexp(alpha[:, None] + a, 0) + log_likelihood, None

    alpha, _ = gc.scan(step, gc.constant(first) + likely[0], likely[1:])
    evidence = gc.logsumexp(alpha, 0)
    program = gc.compile([likely], [evidence, gc.grad(evidence, likely)])
    value, posterior = program(show[:, seen].T.copy())
    print(f"log evidence {value:.4f}; posteriors sum to {posterior.sum(1).round(6)}")
    return {"move": move, "first": first, "likely": show[:, seen].T, "value": value,
            "posterior": posterior}  # fmt: skip


if __name__ == "__main__":
    main()

"""Sampling by top-k and top-p: how many candidates there are is a value of each call."""

import numpy as np

import graphc as gc


def main(words=20, k=8, p=0.7, draws=200):
    logits = gc.input("logits", (words,), gc.float64)
    most = gc.input("k", (), gc.int64)
    mass = gc.input("p", (), gc.float64)
    uniform = gc.input("uniform", (gc.dim("draws"),), gc.float64)

    values, places = gc.topk(logits, gc.dim(most, min=1, max=words))
    shares = gc.softmax(values, -1)
    before = gc.cumsum(shares, 0) - shares
    nucleus = before < mass  # the fewest whose shares together reach p
    kept = shares[nucleus] / gc.sum(shares[nucleus])
    chosen = gc.searchsorted(gc.cumsum(kept, 0), uniform, "right")
    tokens = places[nucleus][gc.minimum(chosen, gc.sum(nucleus) - 1)]
    run = gc.compile([logits, most, mass, uniform], [tokens, places[nucleus], kept])

    rng = np.random.default_rng(1)
    scores, numbers = rng.standard_normal(words) * 2, rng.random(draws)
    drawn, candidates, probabilities = run(scores, k, p, numbers)
    print(f"{len(candidates)} of {k} candidates, {len(set(drawn.tolist()))} of them drawn")
    return {
        "logits": scores, "uniform": numbers, "tokens": drawn,
        "candidates": candidates, "probabilities": probabilities,
    }  # fmt: skip


if __name__ == "__main__":
    main()

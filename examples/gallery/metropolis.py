"""Metropolis sampling: a chain of proposals, taken or left, in one `gc.scan` that draws."""

import graphc as gc


def log_density(x):
    """A mixture of two normal distributions, up to a constant."""
    return gc.log(0.3 * gc.exp(-0.5 * (x + 2) ** 2) + 0.7 * gc.exp(-0.5 * (x - 1) ** 2))


def main(chains=200, steps=500, width=2.0):
    gc.manual_seed(0)

    def step(state, _):
        x, level, taken = state
        proposal = x + width * gc.randn_like(x)
        new = log_density(proposal)
        accept = gc.log(gc.rand_like(x)) < new - level
        x, level = gc.where(accept, proposal, x), gc.where(accept, new, level)
        return (x, level, taken + gc.mean(gc.cast(accept, gc.float64))), x

    first = gc.zeros((chains,), gc.float64)
    start = (first, log_density(first), gc.constant(0.0))
    (_, _, taken), path = gc.scan(step, start, length=steps)
    samples, rate = gc.compile([], [path, taken / steps])()
    kept = samples[steps // 5 :]
    print(f"accepted {rate:.0%}, mean {kept.mean():.3f}, variance {kept.var():.3f}")
    return kept


if __name__ == "__main__":
    main()

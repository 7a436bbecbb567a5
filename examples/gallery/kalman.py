"""A Kalman filter for position and speed, seen through a noisy position."""

import numpy as np

import graphc as gc

MOVE = np.array([[1.0, 0.1], [0.0, 1.0]])
DRIFT = np.diag([1e-4, 1e-3])
NOISE = 0.04


def main(length=50):
    rng = np.random.default_rng(16)
    truth = np.sin(np.arange(length) * 0.1)
    seen = truth + np.sqrt(NOISE) * rng.standard_normal(length)

    z = gc.input("z", (gc.dim("t"),), gc.float64)
    f, q = gc.constant(MOVE), gc.constant(DRIFT)

    def step(state, measured):
        mean, cov = state
        mean, cov = f @ mean, f @ cov @ f.T + q
        surprise, spread = measured - mean[0], cov[0, 0] + NOISE
        gain = cov[:, 0] / spread
        mean, cov = mean + gain * surprise, cov - gain[:, None] * cov[0]
        likelihood = -0.5 * (gc.log(2 * np.pi * spread) + surprise**2 / spread)
        return (mean, cov), (mean, likelihood)

    _, (means, likelihoods) = gc.scan(step, (np.zeros(2), np.eye(2)), z)
    found, evidence = gc.compile([z], [means, gc.sum(likelihoods)])(seen)
    before, after = (np.sqrt(np.mean((v - truth) ** 2)) for v in (seen, found[:, 0]))
    print(f"error {before:.3f} seen, {after:.3f} filtered; log evidence {evidence:.2f}")
    return {"seen": seen, "means": found, "evidence": evidence}


if __name__ == "__main__":
    main()

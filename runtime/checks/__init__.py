"""The verifier of lowered programs."""

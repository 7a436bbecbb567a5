"""How a call computes at once: dispatch, promotion, the tape, the backward pass."""

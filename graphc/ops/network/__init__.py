"""Functions of networks composed of other ops: activations and losses."""

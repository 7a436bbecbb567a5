"""A graph made runnable: `compile`, the program, its report, the reference interpreter."""

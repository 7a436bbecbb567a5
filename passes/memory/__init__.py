"""When nodes run and where values live: order, recomputing, in place, the plan."""

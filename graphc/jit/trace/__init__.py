"""Python calls recorded as a graph, with their branches, loops and sizes."""

"""Graph to graph: one pass a file, named after it; `pipeline` composes them."""

"""What a graph is: dims, dtypes, types, nodes, and the evaluator."""

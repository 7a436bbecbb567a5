"""Graph to executable: lowering, generated kernels, the step machine, the object cache."""

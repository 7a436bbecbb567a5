"""What lowering and running share: kernels, steps, homes, the arena, the host."""

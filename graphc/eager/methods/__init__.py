"""What a tensor is besides its functions: methods, hooks, interchange, printing."""

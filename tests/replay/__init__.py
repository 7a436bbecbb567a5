"""The generated kernels of all op cases, beside those of another revision of the repository."""

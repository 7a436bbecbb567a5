"""Programs and traced functions in files: written, checked, read, never executed."""

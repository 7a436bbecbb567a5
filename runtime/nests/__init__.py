"""Kernels of ops that no fused body holds: scans, scatters, sorts, windows."""

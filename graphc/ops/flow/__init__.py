"""Ops that hold bodies: branches, scans, loops, and their gradients."""

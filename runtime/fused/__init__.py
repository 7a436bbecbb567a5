"""The kernel of a fused body: its loops, its statements, its source."""

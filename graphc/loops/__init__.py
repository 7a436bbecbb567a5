"""Which loops a fused body has and what its steps read in memory; passes and runtime both ask."""

"""Random numbers of many distributions, made of uniform and normal ones."""

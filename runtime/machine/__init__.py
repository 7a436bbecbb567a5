"""The machine that runs a program's steps with no Python between them."""

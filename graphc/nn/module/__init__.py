"""What a module is: members, calls, hooks, state, conversion, containers."""

"""Movement: every element of the result comes from elsewhere; index maps, no arithmetic."""

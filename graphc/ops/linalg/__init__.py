"""Linear algebra: ops that LAPACK computes, matrix by matrix of a batch."""

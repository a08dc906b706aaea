"""Mutants made by machine: every fault of some kinds at every place of the reference solution where it fits."""

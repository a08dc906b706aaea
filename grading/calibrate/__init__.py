"""Proves the grader: runs it on faults that are known, and on solutions that are right, and counts where it errs."""

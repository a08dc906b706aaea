"""Runs a submission's own tests, and counts the lines of its service that they run."""

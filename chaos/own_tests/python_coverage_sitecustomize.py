"""Measures a program that the tests of a submission have started: Python imports this at its start, as `sitecustomize`."""

import contextlib

with contextlib.suppress(Exception):  # such as a Python that is too old for coverage.py
    import coverage

    coverage.process_startup()

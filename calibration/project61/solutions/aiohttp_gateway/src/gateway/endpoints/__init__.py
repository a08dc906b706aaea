"""The endpoints, a class each."""

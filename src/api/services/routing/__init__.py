"""Which model answers: by rules, and by variants that are compared."""

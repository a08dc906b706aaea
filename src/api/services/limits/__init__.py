"""Limits of requests, tokens and money for each user: shared through Redis, or kept in memory where there is none."""

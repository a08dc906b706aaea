"""What Assignment 1 and week 1 have in common: a chat endpoint, its prices, its request ids."""

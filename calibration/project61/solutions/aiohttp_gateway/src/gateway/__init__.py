"""A gateway in front of language models that speaks OpenAI's API."""

__version__ = "1.0.0"

import os

# The settings are read on import, so this has to come first. The environment wins over .env.
os.environ["OPENAI_API_KEY"] = "sk-for-tests"
os.environ["OPENAI_BASE_URL"] = "http://provider.invalid/v1"
os.environ["DEFAULT_MODEL"] = "gpt-4o-mini"
os.environ["MAX_TOKENS_PER_REQUEST"] = "3000"
os.environ["RATE_LIMIT_REQUESTS"] = "3"
os.environ["RATE_LIMIT_WINDOW"] = "60"
os.environ["DAILY_COST_LIMIT"] = "1"
os.environ["DEBUG"] = "false"

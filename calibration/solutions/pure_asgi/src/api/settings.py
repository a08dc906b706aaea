import os
from urllib.parse import urlparse

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    jwt_secret_key: str
    auth_admin_password: str
    auth_user_password: str
    litellm_url: str
    qdrant_url: str
    mlflow_tracking_uri: str
    cors_origins: list[str] = []
    environment: str = "production"

    def __repr__(self) -> str:
        return f"<Settings for {self.environment}>"


def load() -> Settings:
    """Raises SystemExit with everything that is wrong, by the variables' names and without their values."""
    wrong: list[str] = []
    values: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        raw = os.environ.get(name.upper(), "").strip()
        if name == "cors_origins":
            try:
                values[name] = msgspec.json.decode(raw or "[]", type=list[str])
            except msgspec.DecodeError:
                wrong.append("CORS_ORIGINS: no JSON list of strings")
        elif raw:
            values[name] = raw
        elif name != "environment":
            wrong.append(f"{name.upper()}: missing")
        if raw and name.endswith(("_url", "_uri")):
            url = urlparse(raw)
            if url.scheme not in ("http", "https") or not url.hostname:
                wrong.append(f"{name.upper()}: no URL")
            values[name] = raw.rstrip("/")
    key = str(values.get("jwt_secret_key", ""))
    if key and len(key) < 32:
        wrong.append("JWT_SECRET_KEY: shorter than 32 characters")
    if key and (len(set(key)) < 8 or any(word in key.lower() for word in ("secret", "change", "your-", "password", "dev-"))):
        wrong.append("JWT_SECRET_KEY: guessable")
    if wrong:
        raise SystemExit("cannot start. " + "; ".join(wrong))
    return Settings(**values)  # type: ignore[arg-type]

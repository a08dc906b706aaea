import time
from collections import defaultdict

from fastapi import Request

# in-memory store, use Redis in production
requests_log = defaultdict(list)


def get_client_ip(request: Request) -> str:
    # behind a proxy the real ip is in X-Forwarded-For
    forwarded = request.headers.get("X-Forwarded-For")
    if forwarded:
        return forwarded.split(",")[0].strip()
    return request.client.host


def is_rate_limited(ip: str, limit: int, window: int) -> int:
    """Returns 0 if the request is allowed, otherwise the seconds to wait."""
    now = time.time()
    requests_log[ip] = [t for t in requests_log[ip] if now - t < window]
    if len(requests_log[ip]) >= limit:
        return int(window - (now - requests_log[ip][0])) + 1
    requests_log[ip].append(now)
    return 0

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from api.settings import LITELLM, MLFLOW, QDRANT

URLS = {"qdrant": f"{QDRANT}/healthz", "litellm": f"{LITELLM}/health/liveliness", "mlflow": f"{MLFLOW}/health"}
pool = ThreadPoolExecutor(max_workers=len(URLS), thread_name_prefix="check")
lock = threading.Lock()
KEEP = 3.0
latest = {"at": -KEEP, "checks": {}}


def _check(url):
    started = time.monotonic()
    try:
        ok = requests.get(url, timeout=(2, 2)).ok
        return {"status": "ok" if ok else "error", "seconds": round(time.monotonic() - started, 3)}
    except requests.RequestException as error:
        return {"status": "error", "reason": type(error).__name__}


def checks():
    with lock:
        if time.monotonic() - latest["at"] > KEEP:
            latest["checks"] = dict(zip(URLS, pool.map(_check, URLS.values())))
            latest["at"] = time.monotonic()
        return latest["checks"]

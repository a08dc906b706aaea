import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="llm-api-metrics-"))

from api.logging_setup import CONFIG  # noqa: E402
from api.settings import check  # noqa: E402

# In the master, before it binds: a worker that refuses to start would be started again.
check()

bind = "0.0.0.0:8000"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "api.worker.Worker"
pythonpath = "src"
graceful_timeout = 25
timeout = 60
keepalive = 5
accesslog = None
logconfig_dict = CONFIG
control_socket_disable = True


def child_exit(server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)

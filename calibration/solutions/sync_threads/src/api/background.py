"""One thread that logs runs in MLflow. Runs that it cannot deliver end up in a file."""

import json
import logging
import pathlib
import queue
import threading
import time

import requests

from api.settings import MLFLOW

log = logging.getLogger("api.background")
FILE = pathlib.Path.cwd() / "mlflow-backlog.jsonl"
STOP = object()


class Deliverer(threading.Thread):
    def __init__(self):
        super().__init__(name="deliverer", daemon=True)
        self.queue = queue.Queue()
        self.session = requests.Session()
        self.leave_by = float("inf")

    def run(self):
        while (item := self.queue.get()) is not STOP:
            try:
                if time.monotonic() > self.leave_by:
                    raise TimeoutError("no time left")
                self.deliver(item)
            except Exception as error:
                log.warning(f"MLflow: {type(error).__name__}, run kept in {FILE.name}")
                with FILE.open("a") as file:
                    file.write(json.dumps(item) + "\n")
        self.session.close()

    def deliver(self, run):
        answer = self.session.post(
            f"{MLFLOW}/api/2.0/mlflow/runs/create",
            json={
                "experiment_id": "0",
                "start_time": run["at"],
                "tags": [{"key": key, "value": str(value)} for key, value in run.items()],
            },
            timeout=(2, 2),
        )
        answer.raise_for_status()

    def stop(self):
        self.leave_by = time.monotonic() + 2
        self.queue.put(STOP)
        self.join(8)


deliverer = Deliverer()

"""MLflow's REST interface with just enough memory for its clients to go on.

Experiments and runs are remembered, because a client looks them up again; traces, metrics and artifacts are not.
The interface is described at https://mlflow.org/docs/latest/api_reference/rest-api.html.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

Fields = Mapping[str, Any]

_ARTIFACT_LOCATION = "mlflow.artifactLocation"


class MlflowError(Exception):
    """An answer with MLflow's error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": code, "message": message}


class Store:
    """What one tracking server knows."""

    def __init__(self) -> None:
        self._experiments: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        self._create_experiment({"name": "Default"})
        self._routes: dict[tuple[str, str], Callable[[Fields], Fields]] = {
            ("POST", "experiments/create"): self._create_experiment,
            ("GET", "experiments/get"): self._experiment,
            ("GET", "experiments/get-by-name"): self._experiment_by_name,
            ("GET", "experiments/search"): self._all_experiments,
            ("POST", "experiments/search"): self._all_experiments,
            ("POST", "runs/create"): self._create_run,
            ("GET", "runs/get"): self._run,
            ("POST", "runs/search"): self._all_runs,
            ("POST", "runs/update"): self._update_run,
            ("POST", "traces"): _trace_info,
        }

    def answer(self, method: str, endpoint: str, fields: Fields) -> Fields:
        """Return the answer to `endpoint` (what follows `/api/<version>/mlflow/`); raises MlflowError."""
        if method == "PATCH" and endpoint.startswith("traces/"):
            return {"trace_info": _trace_info_v2({**fields, "request_id": endpoint.removeprefix("traces/")})}
        if route := self._routes.get((method, endpoint)):
            try:
                return route(fields)
            except (AttributeError, TypeError) as error:
                raise MlflowError(
                    400, "INVALID_PARAMETER_VALUE", f"A field has the wrong type: {error}"
                ) from error
        if method == "GET":
            raise MlflowError(404, "ENDPOINT_NOT_FOUND", f"No handler for GET {endpoint}")
        # Metrics, parameters, tags, assessments, models: taken, and not asked for again.
        return {}

    def _create_experiment(self, fields: Fields) -> Fields:
        name = str(fields.get("name", ""))
        if any(known["name"] == name for known in self._experiments.values()):
            raise MlflowError(400, "RESOURCE_ALREADY_EXISTS", f"Experiment(name={name}) already exists.")
        experiment_id = str(len(self._experiments))
        now = _now_ms()
        self._experiments[experiment_id] = {
            "experiment_id": experiment_id,
            "name": name,
            "artifact_location": f"mlflow-artifacts:/{experiment_id}",
            "lifecycle_stage": "active",
            "creation_time": now,
            "last_update_time": now,
            "tags": fields.get("tags", []),
        }
        return {"experiment_id": experiment_id}

    def _experiment(self, fields: Fields) -> Fields:
        return {"experiment": _found(self._experiments, "Experiment", str(fields.get("experiment_id")))}

    def _experiment_by_name(self, fields: Fields) -> Fields:
        by_name = {known["name"]: known for known in self._experiments.values()}
        return {"experiment": _found(by_name, "Experiment", str(fields.get("experiment_name")))}

    def _all_experiments(self, _: Fields) -> Fields:
        return {"experiments": list(self._experiments.values())}

    def _create_run(self, fields: Fields) -> Fields:
        run_id = uuid.uuid4().hex
        experiment_id = str(fields.get("experiment_id", "0"))
        info = {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_name": fields.get("run_name") or f"run-{run_id[:8]}",
            "experiment_id": experiment_id,
            "user_id": fields.get("user_id", ""),
            "status": "RUNNING",
            "start_time": fields.get("start_time", _now_ms()),
            "artifact_uri": f"mlflow-artifacts:/{experiment_id}/{run_id}/artifacts",
            "lifecycle_stage": "active",
        }
        data = {"metrics": [], "params": [], "tags": fields.get("tags", [])}
        self._runs[run_id] = {"info": info, "data": data, "inputs": {}}
        return {"run": self._runs[run_id]}

    def _run(self, fields: Fields) -> Fields:
        return {"run": _found(self._runs, "Run", str(fields.get("run_id") or fields.get("run_uuid")))}

    def _all_runs(self, fields: Fields) -> Fields:
        wanted = set(fields.get("experiment_ids", ()))
        return {"runs": [run for run in self._runs.values() if run["info"]["experiment_id"] in wanted]}

    def _update_run(self, fields: Fields) -> Fields:
        info = _found(self._runs, "Run", str(fields.get("run_id") or fields.get("run_uuid")))["info"]
        info.update({name: fields[name] for name in ("status", "end_time", "run_name") if fields.get(name)})
        return {"run_info": info}


def _trace_info(fields: Fields) -> Fields:
    """Answer the start of a trace: in the third version of the interface, or in the second one of older clients."""
    trace = fields.get("trace")
    if not isinstance(trace, dict):
        return {"trace_info": _trace_info_v2({**fields, "request_id": f"tr-{uuid.uuid4().hex}"})}
    info = trace.get("trace_info", {})
    experiment_id = info.get("trace_location", {}).get("mlflow_experiment", {}).get("experiment_id", "0")
    location = _trace_location(experiment_id, info.get("trace_id", ""))
    return {"trace": {"trace_info": {**info, "tags": {**info.get("tags", {}), _ARTIFACT_LOCATION: location}}}}


def _trace_info_v2(fields: Fields) -> Fields:
    location = _trace_location(str(fields.get("experiment_id", "0")), fields["request_id"])
    tags = [*fields.get("tags", []), {"key": _ARTIFACT_LOCATION, "value": location}]
    return {"experiment_id": "0", "timestamp_ms": _now_ms(), "status": "IN_PROGRESS", **fields, "tags": tags}


def _trace_location(experiment_id: str, trace_id: str) -> str:
    return f"mlflow-artifacts:/{experiment_id}/traces/{trace_id}/artifacts"


def _found(known: Mapping[str, dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    if name not in known:
        raise MlflowError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind} '{name}' does not exist.")
    return known[name]


def _now_ms() -> int:
    return int(time.time() * 1000)

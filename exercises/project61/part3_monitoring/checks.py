"""The checks of part 3. Each judges recorded histories alone; its parameters name the experiments."""

from exercises.project61.part3_monitoring.bounded import labels_are_bounded
from exercises.project61.part3_monitoring.counted import requests_are_counted
from exercises.project61.part3_monitoring.exposition import metrics_parse
from exercises.project61.part3_monitoring.latency import latency_is_measured
from exercises.project61.part3_monitoring.logs import logs_have_ids
from exercises.project61.part3_monitoring.objectives import (
    alerts_have_an_objective,
    dashboards_and_alerts_rest_on_metrics,
)
from exercises.project61.part3_monitoring.spent import tokens_and_cost_are_counted

__all__ = [
    "alerts_have_an_objective",
    "dashboards_and_alerts_rest_on_metrics",
    "labels_are_bounded",
    "latency_is_measured",
    "logs_have_ids",
    "metrics_parse",
    "requests_are_counted",
    "tokens_and_cost_are_counted",
]

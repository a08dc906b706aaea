"""A stand-in for an MLflow tracking server: accepts what its clients send, and notes whose traces have arrived."""

from chaos.mlflow.server import MlflowStandIn

__all__ = ["MlflowStandIn"]

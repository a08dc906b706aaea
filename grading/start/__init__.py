"""How a submission's service is started, and what has to be installed for it, read from its own files."""

from grading.start.plan import Build, StartPlan, named_assessment, plan

__all__ = ["Build", "StartPlan", "named_assessment", "plan"]

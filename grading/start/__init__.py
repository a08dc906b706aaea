"""How a submission's service is started: what its files say, or else the defaults of the assessment."""

from grading.start.container import Build
from grading.start.planning import plan
from grading.start.requirements import Requirements
from grading.start.start_plan import StartPlan
from grading.start.table import named_assessment

__all__ = ["Build", "Requirements", "StartPlan", "named_assessment", "plan"]

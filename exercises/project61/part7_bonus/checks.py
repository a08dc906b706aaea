"""The checks of part 7. Each judges recorded histories alone; its parameters name the experiments."""

from exercises.project61.part7_bonus.analytics import usage_is_analysed
from exercises.project61.part7_bonus.budgets import budgets_stop_users
from exercises.project61.part7_bonus.rules import rules_choose_models
from exercises.project61.part7_bonus.similar import similar_questions_are_cached
from exercises.project61.part7_bonus.variants import variants_are_compared

__all__ = [
    "budgets_stop_users",
    "rules_choose_models",
    "similar_questions_are_cached",
    "usage_is_analysed",
    "variants_are_compared",
]

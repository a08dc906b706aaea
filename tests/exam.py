"""The exam, for tests that need an assessment or a contract, whichever."""

from exercises.catalogue import assessment

EXAM = assessment("exam")
CONTRACT = EXAM.contract

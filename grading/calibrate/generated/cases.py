"""The mutants made by machine as cases of a corpus."""

from grading.calibrate.corpus import Case, Corpus
from grading.calibrate.files import Change
from grading.calibrate.generated.mutants import mutants
from grading.calibrate.generated.plan import Plan
from grading.errors import UsageError

GENERATED = "generated"


def cases(corpus: Corpus) -> tuple[Case, ...]:
    """Return a case for each mutant of the corpus's plan, none where there is no plan.

    Raises UsageError where the plan cannot be read.
    """
    folder = corpus.folder / GENERATED
    if not folder.is_dir():
        return ()
    try:
        plan = Plan.read(folder)
        found = mutants(plan, corpus.changed)
    except (OSError, ValueError) as error:
        raise UsageError(f"The plan in {folder} cannot be followed: {error}") from error
    return tuple(
        Case(
            name=one.name,
            kind="generated",
            story=one.story,
            source=corpus.changed,
            changes=(Change(file=one.file, new=one.text),),
            exercises=frozenset(one.exercises),
            equivalent=one.equivalent,
        )
        for one in found
    )

"""What a course tool shows to a student beside the points."""

from grading.classroom.grades import Grade
from lab.verdict import Status


def feedback(grade: Grade) -> str:
    """Return the mention, the criteria that failed or were not judged, and what is to be known of the grade, in a line."""
    told = [
        grade.mention or "",
        _listed("Failed", grade, "failed"),
        _listed("Not judged", grade, "not judged"),
        grade.remarks,
    ]
    return ". ".join(one for one in told if one)


def _listed(title: str, grade: Grade, status: Status) -> str:
    exercises = grade.report.exercises if grade.report else ()
    numbers = [one.number for exercise in exercises for one in exercise.criteria if one.status == status]
    return f"{title}: {', '.join(numbers)}" if numbers else ""

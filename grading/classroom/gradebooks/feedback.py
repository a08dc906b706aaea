"""What a course tool shows to a student beside the points."""

from grading.classroom.grades import Grade


def feedback(grade: Grade) -> str:
    """Return the mention, the criteria that failed, and what is to be known of the grade, in a line."""
    failed = [
        one.number
        for exercise in (grade.report.exercises if grade.report else ())
        for one in exercise.criteria
        if not one.passed
    ]
    told = [grade.mention or "", f"Failed: {', '.join(failed)}" if failed else "", grade.remarks]
    return ". ".join(one for one in told if one)

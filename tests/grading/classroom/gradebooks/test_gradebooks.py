"""Each gradebook as the course tool reads it, with students who would like to run a formula."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from grading.classroom.choice import Choice
from grading.classroom.class_run import ClassRun, Selection
from grading.classroom.gradebooks import canvas, moodle, nbgrader, own
from grading.classroom.gradebooks.feedback import feedback
from grading.classroom.gradebooks.table import guard
from grading.classroom.gradebooks.write import Exports, write_gradebooks
from grading.classroom.grades import Grade
from grading.classroom.roster import LateRule, read_roster
from grading.classroom.store import Store
from grading.errors import UsageError
from grading.runtimes import choose_runtime
from tests.grading.classroom.samples import make_grade
from tests.toy_class import toy

EVIL = '=HYPERLINK("http://evil.example/","look")'


@pytest.fixture
def grades() -> list[Grade]:
    rule = LateRule(points_per_day=5, cap=20)
    return [
        make_grade("Ada Lovelace", 100, id="s1", email="ada@example.org"),
        make_grade("Hopper, Grace", 72.5, id="s2", late=timedelta(hours=1), rule=rule),
        make_grade(EVIL, 10, id="s3", email="+x@example.org"),
        make_grade("Nobody", None, id="s4", reason="-1+1 is in the reason"),
    ]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def written(folder: Path, text: str) -> Path:
    (folder / "export.csv").write_text(text, encoding="utf-8")
    return folder / "export.csv"


def test_our_own_has_everybody(grades: list[Grade]) -> None:
    assert grades[0].report
    rows = table(own.render(grades, grades[0].report.exercises))  # type: ignore[arg-type]  # they have numbers too

    assert [(row["id"], row["points"], row["state"]) for row in rows] == [
        ("s1", "100", "graded"),
        ("s2", "67.5", "graded"),
        ("s3", "10", "graded"),
        ("s4", "", "not fetched"),
    ]
    assert (rows[1]["raw_points"], rows[1]["penalty"], rows[1]["late_seconds"]) == ("72.5", "5", "3600")
    assert (rows[1]["exercise 1"], rows[1]["exercise 2"]) == ("50", "22.5")
    assert rows[3]["remarks"] == "'-1+1 is in the reason"


def test_canvas_without_an_export(grades: list[Grade]) -> None:
    text, remarks = canvas.render(grades, "Exam", 100)

    assert text.splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,Exam",
        "    Points Possible,,,,,100",
        "Ada Lovelace,,s1,s1,,100",
        '"Hopper, Grace",,s2,s2,,67.5',
        '"\'=HYPERLINK(""http://evil.example/"",""look"")",,s3,s3,,10',
    ]
    assert remarks == []


def test_canvas_with_its_export(grades: list[Grade], tmp_path: Path) -> None:
    export = written(
        tmp_path,
        "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Exam (77),Quiz (78)\r\n"
        "    Points Possible,,,,,90,10\r\n"
        '"Lovelace, Ada",101,,ADA@example.org,A,,9\r\n'
        '"Hopper, Grace",102,s2,grace,A,50,8\r\n'
        '"=cmd()",103,,s3,"@B",,\r\n'
        '"Student, Test",104,,7f3a,A,,\r\n',
    )

    text, remarks = canvas.render(grades, "Exam", 100, export)

    assert text.splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,Exam (77)",
        "    Points Possible,,,,,90",
        '"Lovelace, Ada",101,,ADA@example.org,A,100',
        '"Hopper, Grace",102,s2,grace,A,67.5',
        "'=cmd(),103,,s3,'@B,10",
    ]
    assert remarks == [
        "Canvas's export has students who are not in the roster: 7f3a.",
        "The roster has students who are not in Canvas's export: s4.",
        "'Exam (77)' has 90 points in Canvas, and 100 here.",
    ]


def test_an_export_with_semicolons_and_decimal_commas(grades: list[Grade], tmp_path: Path) -> None:
    export = written(
        tmp_path,
        "\ufeffStudent;ID;SIS User ID;SIS Login ID;Section;Exam (77)\r\n"
        "    Points Possible;;;;;100,00\r\n"
        '"Lovelace, Ada";101;s1;ada;A;\r\n',
    )

    text, remarks = canvas.render(grades[:1], "Exam", 100, export)

    assert text.splitlines()[1:] == ["    Points Possible,,,,,100", '"Lovelace, Ada",101,s1,ada,A,100']
    assert remarks == []


def test_an_assignment_that_canvas_does_not_know(grades: list[Grade], tmp_path: Path) -> None:
    export = written(tmp_path, "Student,ID,Quiz (78)\nNobody,104,\n")

    text, remarks = canvas.render(grades, "Exam", 100, export)

    assert text.splitlines()[0] == "Student,ID,Exam"
    assert "Canvas's export has no assignment 'Exam': the import makes one." in remarks


def test_a_name_is_matched_only_if_one_student_has_it(grades: list[Grade], tmp_path: Path) -> None:
    export = written(tmp_path, 'Student,ID\nAda Lovelace,1\nAda Lovelace,2\nnobody,3\n"Hopper, Grace",4\n')

    text, remarks = canvas.render(grades, "Exam", 100, export)

    assert text.splitlines()[2:] == ['"Hopper, Grace",4,67.5']
    assert remarks[0] == "Canvas's export has students who are not in the roster: 1, 2."
    assert remarks[2] == "More than one student has these, so they match nobody: ada lovelace."


CANVAS = "Student,ID,SIS User ID,SIS Login ID,Exam (77)\n"


@pytest.mark.parametrize(
    ("students", "rows", "expected"),
    [
        pytest.param(
            [make_grade("Ada Lovelace", 100, id="10234")],
            '"Zed, Zoe",10234,20001,zz,\n"Lovelace, Ada",501,10234,al,\n',
            ['"Lovelace, Ada",501,10234,al,100'],
            id="an id of one column that a stranger has in another",
        ),
        pytest.param(
            [make_grade("Jan Smith", 100, id="js1")],
            'Jan Smith,500,js9,js9@x,\n"Smith, Jan-Erik",501,js1,js1@x,\n',
            ['"Smith, Jan-Erik",501,js1,js1@x,100'],
            id="a name above the row with the id",
        ),
        pytest.param(
            [
                make_grade("Ada", 100, id="a", email="team@x.org"),
                make_grade("Bob", 20, id="b", email="team@x.org"),
            ],
            "Ada X,1,,team@x.org,\nBob Y,2,b,bob@x.org,\n",
            ["Bob Y,2,b,bob@x.org,20"],
            id="an address of two students",
        ),
        pytest.param(
            [make_grade("Ada Lovelace", 100, id="gh-ada"), make_grade("de la Cruz, Ana", 80, id="gh-ana")],
            '"Lovelace, Ada",1,77,al77,\nAna de la Cruz,2,78,ac78,\n',
            ['"Lovelace, Ada",1,77,al77,100', "Ana de la Cruz,2,78,ac78,80"],
            id="last and first name the other way round",
        ),
        pytest.param(
            [make_grade("Jos\u00e9 N\u00fa\u00f1ez", 100, id="gh")],
            "Jose\u0301 Nu\u0301n\u0303ez,1,77,jn,\n",
            ["Jose\u0301 Nu\u0301n\u0303ez,1,77,jn,100"],
            id="accents composed otherwise",
        ),
    ],
)
def test_who_is_matched(students: list[Grade], rows: str, expected: list[str], tmp_path: Path) -> None:
    text, _ = canvas.render(students, "Exam", 100, written(tmp_path, CANVAS + rows))

    assert text.splitlines()[2:] == expected


def test_moodle_worksheet(grades: list[Grade], tmp_path: Path) -> None:
    worksheet = written(
        tmp_path,
        "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
        "Last modified (submission),Last modified (grade),Feedback comments\n"
        'Participant 11,Ada Lovelace,,ada@example.org,,,100.00,Yes,-,"Friday, 4 December 2026, 10:00 AM",old\n'
        "Participant 12,Grace Hopper,s2,g@example.org,,40,100.00,Yes,-,-,\n"
        "Participant 13,=cmd(),s3,x@example.org,,,100.00,Yes,-,-,\n"
        "Participant 14,Nobody,s4,n@example.org,,,100.00,Yes,-,-,kept there\n"
        "Participant 15,Stranger,,s@example.org,,,100.00,Yes,-,-,\n",
    )

    text, remarks = moodle.render_worksheet(grades, 100, worksheet)

    rows = table(text)
    assert [(row["Identifier"], row["Grade"]) for row in rows] == [
        ("Participant 11", "100"),
        ("Participant 12", "67.5"),
        ("Participant 13", "10"),
    ]
    assert rows[0]["Last modified (grade)"] == "Friday, 4 December 2026, 10:00 AM"
    assert rows[0]["Feedback comments"] == "distinction"
    assert rows[1]["Feedback comments"] == "passed. Failed: 2.1. 1 h 0 min late: -5 points"
    assert rows[2]["Full name"] == "'=cmd()"
    assert remarks == ["Moodle's export has students who are not in the roster: s@example.org."]


def test_a_worksheet_with_semicolons_and_decimal_commas(grades: list[Grade], tmp_path: Path) -> None:
    worksheet = written(
        tmp_path,
        "Identifier;Full name;Grade;Maximum Grade;Last modified (grade)\nParticipant 1;Ada Lovelace;;100,00;-\n",
    )

    text, remarks = moodle.render_worksheet(grades[:1], 100, worksheet)

    assert [row["Grade"] for row in table(text)] == ["100"]
    assert remarks == []


def test_a_worksheet_in_another_language(tmp_path: Path) -> None:
    worksheet = written(tmp_path, "Identifiant,Nom complet,Note,Note maximale\nParticipant 1,Ada,,100\n")

    with pytest.raises(
        UsageError, match="export the grading worksheet of Moodle again, with the language of"
    ):
        moodle.render_worksheet([], 100, worksheet)


def test_what_was_not_judged_has_not_failed() -> None:
    grade = make_grade("Ada", 40)
    assert grade.entry
    exercises = []
    for part in grade.entry.report.exercises:
        status = "failed" if part.number == 1 else "not judged"
        criteria = tuple(one.model_copy(update={"status": status}) for one in part.criteria)
        exercises.append(part.model_copy(update={"criteria": criteria}))
    report = grade.entry.report.model_copy(update={"exercises": tuple(exercises)})

    told = feedback(replace(grade, entry=replace(grade.entry, report=report)))

    assert told == "not passed. Failed: 1.1. Not judged: 2.1"


def test_a_worksheet_of_an_earlier_command_does_not_stay(grades: list[Grade], tmp_path: Path) -> None:
    worksheet = written(
        tmp_path, "Identifier,Full name,Grade,Last modified (grade)\nParticipant 1,Nobody,,-\n"
    )
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,repository\ns1,Ada,ada\n", encoding="utf-8")
    with Store.open(tmp_path / "results") as store:
        run = ClassRun(read_roster(roster), Choice(toy, "toy"), choose_runtime(None), store, Selection())
        write_gradebooks(run, grades, Exports("Exam", moodle=worksheet))
        first = {path.name for path in store.root.glob("*.csv")}
        write_gradebooks(run, grades, Exports("Exam"))
        second = {path.name for path in store.root.glob("*.csv")}

    assert first - second == {"moodle-worksheet.csv"}
    assert second == {"gradebook.csv", "canvas.csv", "moodle-import.csv", "nbgrader.csv"}


def test_moodle_import_leaves_out_who_has_no_grade(grades: list[Grade]) -> None:
    assert moodle.render_import(grades, "Exam").splitlines() == [
        "ID number,Email address,Exam,Feedback",
        "s1,ada@example.org,100,distinction",
        "s2,,67.5,passed. Failed: 2.1. 1 h 0 min late: -5 points",
        's3,\'+x@example.org,10,"not passed. Failed: 1.1, 2.1"',
    ]


def test_nbgrader(grades: list[Grade]) -> None:
    due = "2026-12-01 12:00:00"
    assert nbgrader.render(grades, "toy").splitlines() == [
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty,score,max_score",
        f"toy,{due},,s1,Lovelace,Ada,ada@example.org,100,0,100,100",
        f"toy,{due},2026-12-01 13:00:00,s2,Hopper,Grace,,72.5,5,67.5,100",
        f'toy,{due},,s3,"\'=HYPERLINK(""http://evil.example/""","""look"")",\'+x@example.org,10,0,10,100',
    ]


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("\u200b=1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("Ada", "Ada"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_cell_is_no_formula(text: str, guarded: str) -> None:
    assert guard(text) == guarded


@pytest.mark.parametrize(
    ("text", "words"),
    [("Student\nAda\n", "no column 'ID'"), ("", "no column 'Student'"), ("\udcff", "is no CSV in UTF-8")],
)
def test_what_is_no_export_of_canvas(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(UsageError, match=words):
        canvas.render([], "Exam", 100, path)

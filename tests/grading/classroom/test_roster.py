from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grading.classroom.roster import LateRule, read_roster
from grading.errors import UsageError

HEADER = "id,name,repository,commit,deadline,email\n"


def written(folder: Path, text: str, name: str = "roster.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def refusal(folder: Path, text: str, name: str = "roster.csv") -> str:
    with pytest.raises(UsageError) as caught:
        read_roster(written(folder, text, name))
    return caught.value.message


def test_a_csv_file(tmp_path: Path) -> None:
    text = (
        HEADER
        + "s1,Ada,https://example.org/ada/fork.git,,2026-12-01T23:59:00+01:00,ada@example.org\n"
        + 's2,"Hopper, Grace",forks/grace,v1,,\n'
    )

    ada, grace = read_roster(written(tmp_path, text)).students

    assert ada.repository == "https://example.org/ada/fork.git"
    assert ada.deadline == datetime(2026, 12, 1, 22, 59, tzinfo=UTC)
    assert ada.commit is None
    assert (grace.name, grace.repository, grace.commit) == (
        "Hopper, Grace",
        str(tmp_path / "forks/grace"),
        "v1",
    )


def test_folders_are_the_same_wherever_the_command_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "id,name,repository\ns1,Ada,ada\ns2,Grace,~/grace\n")

    (tmp_path / "elsewhere").mkdir()

    for path in ("roster.csv", "elsewhere/../roster.csv"):
        students = read_roster(Path(path)).students

        assert [one.repository for one in students] == [str(tmp_path / "ada"), "/home/me/grace"]


def test_a_csv_file_from_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes("\ufeffID;Name;Repository\r\ns1;Ada;ada\r\n;;\r\n".encode())

    assert [one.id for one in read_roster(path).students] == ["s1"]


def test_a_toml_file(tmp_path: Path) -> None:
    text = """
        deadline = 2026-12-01T12:00:00Z
        late = { points_per_day = 5, cap = 20 }
        [[student]]
        id = "s1"
        name = "Ada"
        repository = "git@example.org:ada/fork.git"
        [[student]]
        id = "s2"
        name = "Grace"
        repository = "/forks/grace"
        deadline = 2026-12-03
    """

    roster = read_roster(written(tmp_path, text, "roster.toml"))

    ada, grace = roster.students
    assert ada.deadline == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert ada.repository == "git@example.org:ada/fork.git"
    assert grace.repository == "/forks/grace"
    assert grace.deadline
    assert grace.deadline.strftime("%Y-%m-%d %H:%M:%S") == "2026-12-03 23:59:59"
    assert roster.late == LateRule(points_per_day=5, cap=20)


def test_options_take_the_place_of_what_the_file_says(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "s1,Ada,ada,,2026-12-01T12:00:00Z,\ns2,Grace,grace,,,\n")
    deadline, late = datetime(2026, 11, 1, tzinfo=UTC), LateRule(points_per_day=1, cap=2)

    roster = read_roster(path, deadline=deadline, late=late)

    assert [one.deadline for one in roster.students] == [datetime(2026, 12, 1, 12, tzinfo=UTC), deadline]
    assert roster.late == late


def test_all_bad_rows_are_told_with_their_lines(tmp_path: Path) -> None:
    text = HEADER + (
        "s1,Ada,ada,,,\n"
        's2,"Two\nlines",two,,,\n'
        "s1,Another,other,,,\n"
        "../s3,Up,up,,,\n"
        "s4,,nameless,,yesterday,\n"
        "s5,Short\n"
        "s6,Option,--upload-pack=x,-x,,nobody\n"
    )

    message = refusal(tmp_path, text)

    assert message.splitlines() == [
        f"5 rows are wrong in {tmp_path / 'roster.csv'}; mend them:",
        "  line 5: the id s1 is that of line 2",
        "  line 6: the id '../s3' must begin with a letter or digit and have up to 64 letters, digits, or . _ @ -",
        "  line 7: the name is empty; 'yesterday' is no time; write it as 2026-12-01T23:59:00+01:00",
        "  line 8: 2 cells under 6 columns",
        (
            "  line 9: the repository '--upload-pack=x' is neither a folder nor a git URL;"
            " '-x' is no commit, branch or tag; 'nobody' is no e-mail address"
        ),
    ]


def test_capitals_make_no_other_id(tmp_path: Path) -> None:
    message = refusal(tmp_path, HEADER + "ab1,Ada,ada,,,\nAB1,Bob,bob,,,\n")

    assert message.splitlines()[1:] == ["  line 3: the id AB1 is that of line 2"]


def test_an_address_that_two_students_have_is_told(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER + "s1,Ada,ada,,,team@x.org\ns2,Bob,bob,,,Team@x.org\ns3,Cy,cy,,,cy@x.org\n"
    )

    assert read_roster(path).remarks == (
        "s1, s2 have the same e-mail address team@x.org: no gradebook is matched by it.",
    )


def test_bad_rows_of_a_toml_file_have_lines_too(tmp_path: Path) -> None:
    text = '[[student]]\nid = "s1"\nname = "Ada"\nrepository = "a"\n\n[[student]]\nid = 7\nrepository = "b"\n'

    assert refusal(tmp_path, text, "roster.toml").splitlines()[1:] == [
        "  line 6: id: Input should be a valid string; there is no name"
    ]


def test_unknown_columns_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, "id,name,repository,repo_url,group\ns1,Ada,ada,x,y\n")

    assert read_roster(path).remarks == (
        f"{path} has columns that a roster does not know, and they are ignored: repo_url, group.",
    )


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("id,name\n", "roster.csv", "has no column repository; it needs id, name, repository"),
        ("id,name,repository,id\n", "roster.csv", "the column id twice"),
        (HEADER, "roster.csv", "There is no student in"),
        ("", "roster.csv", "has no column id, name, repository"),
        ("[[student]", "roster.toml", "is no TOML"),
        ("student = 3", "roster.toml", "no tables [[student]]"),
        ("deadline = 3\n", "roster.toml", "The deadline of"),
        (
            "[late]\ncap = -1\n",
            "roster.toml",
            "there is no points_per_day; cap: Input should be greater than",
        ),
    ],
)
def test_a_file_that_is_no_roster(text: str, name: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(tmp_path, text, name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\)"):
        read_roster(tmp_path / "none.csv")


def test_what_steers_a_terminal_is_taken_out_of_names(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "s1,A\x1b[31mda \u202e,ada,,,\n")

    assert read_roster(path).students[0].name == "Ada"


@pytest.mark.parametrize(
    ("hours", "points"), [(-30, 0), (0, 0), (0.01, 5), (24, 5), (24.01, 10), (100, 20), (1000, 20)]
)
def test_every_day_begun_costs_points_up_to_the_cap(hours: float, points: float) -> None:
    assert LateRule(points_per_day=5, cap=20).penalty(timedelta(hours=hours)) == points

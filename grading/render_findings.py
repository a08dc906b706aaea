"""What `grading verify` has found, for people: one line for each run, and the reasons below it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from chaos.plain_text import plain
from grading.verify import Finding, State

STYLES = {State.GENUINE: "green", State.CHANGED: "red", State.NOT_SIGNED: "yellow", State.NO_KEY: "yellow"}
_ADVICE = {
    State.NOT_SIGNED: (
        "Not signed: nothing was changed by accident, and whoever can write to the folder can forge it."
        " Set GRADING_KEY when you grade."
    ),
    State.NO_KEY: "No key: set GRADING_KEY to the key that the results were signed with.",
}


def render_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings, and what to do about those that have no signature or cannot be checked."""
    for finding in findings:
        console.print(_line(finding))
        for reason in finding.reasons:
            console.print(Text(f"            {plain(reason)}"))
    for state, advice in _ADVICE.items():
        if any(one.state is state for one in findings):
            console.print(Text(advice, style="dim"))


def _line(finding: Finding) -> Text:
    report = finding.report
    facts = ""
    if report:
        commit = report.commit[:12] if report.commit else f"files {report.tree[:12]}"
        points = f"{report.points:g}/{report.max_points:g}"
        facts = f"  {report.submission} @ {commit}, {report.runtime or 'unknown runtime'}, {report.started}, {points}"
    line = Text(f"{finding.state:<10}  ", style=STYLES[finding.state])
    return line.append(plain(f"{finding.folder}{facts}"), style="default")

"""The experiments of the documentation: its pages are read, and the service is asked for its OpenAPI description."""

from lab.experiment import experiment
from lab.lab import Lab

__all__ = ["openapi", "pages"]


@experiment(seconds=1, needs="nothing")
async def pages(lab: Lab) -> None:
    """Read the pages, and the names of what they may name."""
    lab.record_files(
        "*.md", "docs/**/*.md", "[Mm]akefile", "GNUmakefile", "package.json", "mise.toml", "*.yml", "*.yaml"
    )
    lab.record_tree()


@experiment(seconds=1, needs="start")
async def openapi(lab: Lab) -> None:
    """Ask for the OpenAPI description."""
    await lab.get(lab.endpoint("openapi"), label="openapi")

"""The command `chaos`, for stacks of the course's own service."""

from chaos.demo import cli
from exercises.catalogue import assessment


def main() -> None:
    """Run the command line."""
    cli.main(assessment().contract)


if __name__ == "__main__":
    main()

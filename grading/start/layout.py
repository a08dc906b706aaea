"""Which folder of a repository stands where in its container, so that a start can do without one."""

from pathlib import Path, PurePosixPath

from grading.submission import Submission, inside


class Layout:
    """What a Dockerfile copies and a compose file mounts, read backwards."""

    def __init__(
        self, submission: Submission, entries: list[tuple[PurePosixPath, Path]] | None = None
    ) -> None:
        self._submission = submission
        self.entries = entries or []

    @classmethod
    def plain(cls, submission: Submission) -> "Layout":
        """The layout of a start without a container: the repository is all there is."""
        return cls(submission, [(PurePosixPath("/"), Path())])

    def add(self, target: PurePosixPath, source: Path) -> None:
        """Note that the repository's `source` stands at the container's `target`."""
        self.entries.append((target, source))

    def locate(self, path: PurePosixPath) -> list[Path]:
        """The files or folders of the repository that `path` may be, the likeliest first.

        A folder that was never copied as such, like the `/app` of `COPY src ./src`, is told by
        what was copied into it under its own name.
        """
        found = [place for place in self._rebased(path) if self._submission.has(place)]
        for target, source in reversed(self.entries):
            tail = target.relative_to(path).parts if target.is_relative_to(path) else ()
            if tail and source.parts[-len(tail) :] == tail:
                found.append(Path(*source.parts[: -len(tail)]))
        return list(dict.fromkeys(found))

    def rebase(self, path: PurePosixPath) -> Path | None:
        """Where `path` would be in the repository, whether it is there or not; None outside of what was copied."""
        return next(iter(self._rebased(path)), None)

    def _rebased(self, path: PurePosixPath) -> list[Path]:
        latest_first = reversed(self.entries)
        places = []
        for target, source in sorted(latest_first, key=lambda entry: -len(entry[0].parts)):
            if path == target or (path.is_relative_to(target) and (self._submission.root / source).is_dir()):
                place = inside(source / path.relative_to(target))
                places += [] if place is None else [place]
        return places

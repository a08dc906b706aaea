"""Whether a path leads through symbolic links."""

import os
from pathlib import Path


def is_itself(path: Path) -> bool:
    """Whether no part of an absolute path is a link: git lists `a/b` as tracked even where `a` now leads elsewhere."""
    return os.path.realpath(path) == os.fspath(path)

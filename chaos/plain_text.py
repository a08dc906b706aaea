"""What comes from a submission, made fit to be shown: on a terminal, in a page, in a table."""

import re

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_UNFIT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters; tab and new line stay
    r"\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # what reorders or hides text
    r"\u2028\u2029\ud800-\udfff\ufff9-\ufffb]"  # other ends of lines, halves of characters, annotations
)
_COMMAND = re.compile(r"(?<=:)(?=:)|(?<=##)(?=\[)")


def plain(text: str) -> str:
    """Return a text without characters that would steer a terminal, reorder or hide others, or cannot be encoded.

    Lines and tabs stay. It takes time in proportion to the text.
    """
    return _UNFIT.sub(" ", _SEQUENCE.sub("", text.replace("\r\n", "\n")))


def without_commands(text: str) -> str:
    """Return a text with a blank in all marks by which GitHub Actions knows commands, `::` and `##[`."""
    return _COMMAND.sub(" ", text)


def encodable(text: str) -> str:
    """Return a text whose lone surrogates, which JSON can write and UTF-8 cannot, are question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")

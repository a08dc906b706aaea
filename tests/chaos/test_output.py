from chaos.output import LINE_BYTES, LineSplitter


def test_lines_are_cut_at_their_limit_and_decoded_whatever_they_hold() -> None:
    emitted: list[tuple[str, bool]] = []
    splitter = LineSplitter(lambda text, cut: emitted.append((text, cut)))

    splitter.feed(b"a" * (LINE_BYTES - 1))
    splitter.feed(b"bcd\r\nsh\xffort\r\n")
    splitter.feed(b"hal")
    splitter.feed("bé".encode())
    splitter.end()

    assert emitted == [("a" * (LINE_BYTES - 1) + "b", True), ("sh\ufffdort", False), ("halbé", False)]

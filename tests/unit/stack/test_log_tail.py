"""The end of a log, as it is shown when a start fails."""

from stack.errors import log_tail


def test_the_last_lines_are_shown(tmp_path):
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthree\n\n")

    assert log_tail(log, lines=2) == "two\nthree"


def test_of_a_large_log_only_the_end_is_read(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes: reading all of it would never end
        file.seek(0, 2)
        file.write(b"\nthe end\xff\n")

    assert log_tail(log, lines=1) == "the end\N{REPLACEMENT CHARACTER}"


def test_a_log_that_is_missing_or_empty_is_named(tmp_path):
    log = tmp_path / "log"
    assert log_tail(log) == f"({log} does not exist)"

    log.touch()
    assert log_tail(log) == f"({log} is empty)"

"""What goes wrong while finding or starting the stack, told to a person."""

from pathlib import Path

_LONGEST_TAIL_BYTES = 64 * 1024


class StackError(Exception):
    """The stack cannot be found, started or ended. The message says what happened and what to do next."""


def log_tail(path: Path, *, lines: int = 20) -> str:
    """The last lines of a log, however large the file is.

    Args:
        path: the log file; it need not exist.
        lines: how many lines at most.

    Returns:
        The lines joined by newlines, or a remark that there is nothing to show.
    """
    try:
        with path.open("rb") as log:
            size_bytes = log.seek(0, 2)
            log.seek(max(0, size_bytes - _LONGEST_TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return f"({path} does not exist)"
    if not text.strip():
        return f"({path} is empty)"
    return "\n".join(text.rstrip().splitlines()[-lines:])

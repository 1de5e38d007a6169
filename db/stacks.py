"""Where each task of the event loop waits, for the log when something stands still that should not."""

import asyncio
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any


def describe_stacks(loop: asyncio.AbstractEventLoop | None = None) -> str:
    """Say of each task where it is, outermost call first; no values, which may be personal.

    Args:
        loop: whose tasks, from any thread; the running loop's by default.
    """
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return "\n".join(f"{task.get_name()}:\n{_stack_of(task)}" for task in tasks)


def _stack_of(task: asyncio.Task[Any]) -> str:
    places = [f"  {_short(code)}:{line} {code.co_qualname}" for code, line in _frames_of(task.get_coro())]
    return "\n".join(places) or "  nowhere"


def _frames_of(awaited: Any) -> Iterator[tuple[CodeType, int]]:  # noqa: ANN401 - whatever a coroutine waits for
    """Follow what waits for what: a task itself gives the outermost frame only."""
    while awaited is not None:
        frame: FrameType | None = next(
            (found for name in ("cr_frame", "gi_frame", "ag_frame") if (found := getattr(awaited, name, None))), None
        )
        if frame is not None:
            yield frame.f_code, frame.f_lineno
        awaited = next(
            (found for name in ("cr_await", "gi_yieldfrom", "ag_await") if (found := getattr(awaited, name, None))),
            None,
        )


def _short(code: CodeType) -> str:
    return "/".join(code.co_filename.split("/")[-3:])

"""The options by which dead letters are chosen, the same for every verb."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from consumers.letter_filter import Filter, LetterState

States = Annotated[
    list[str] | None,
    typer.Option("--state", help="Only open, redriving, redriven or discarded; default: open and redriving."),
]
Code = Annotated[str | None, typer.Option(help="Only those with this reason, such as invalid-data.")]
Type = Annotated[str | None, typer.Option("--type", help="Only those of this command type.")]
Source = Annotated[str | None, typer.Option(help="Only those of this ce_source.")]
CommandId = Annotated[str | None, typer.Option(help="Only those of this ce_id.")]
Key = Annotated[str | None, typer.Option(help="Only those whose record has this key.")]
Topic = Annotated[str | None, typer.Option(help="Only those from this topic, by its full name.")]
Partition = Annotated[int | None, typer.Option(min=0, help="Only those from this partition.")]
Since = Annotated[str | None, typer.Option(help="Only those from this time on, RFC 3339.")]
Until = Annotated[str | None, typer.Option(help="Only those before this time, RFC 3339.")]
Words = Annotated[str | None, typer.Option("--text", help="Only those with this in their detail, in any case.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


OPTIONS: dict[str, Any] = {
    "state": States,
    "code": Code,
    "type_name": Type,
    "source": Source,
    "command_id": CommandId,
    "key": Key,
    "topic": Topic,
    "partition": Partition,
    "since": Since,
    "until": Until,
    "words": Words,
}
"""What a verb that chooses dead letters takes, by the names of `build_filter`."""


def choosing(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options, in front of its own; it gets the filter that they describe as `chosen`."""

    def run(**given: Any) -> None:  # noqa: ANN401 - whatever the options are
        chosen = build_filter(**{name: given.pop(name) for name in OPTIONS})
        verb(chosen=chosen, **given)

    own = [each for each in inspect.signature(verb).parameters.values() if each.name != "chosen"]
    chosen_by = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in OPTIONS.items()
    ]
    before = [each for each in own if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    parameters = [*before, *chosen_by, *(each for each in own if each not in before)]
    # Where the program looks for options; `Any` hides that functions have attributes.
    told: Any = run
    told.__signature__ = inspect.Signature(parameters)
    told.__annotations__ = {each.name: each.annotation for each in parameters}
    told.__doc__ = verb.__doc__
    told.__name__ = verb.__name__
    return run


def build_filter(
    *,
    state: list[str] | None,
    code: str | None,
    type_name: str | None,
    source: str | None,
    command_id: str | None,
    key: str | None,
    topic: str | None,
    partition: int | None,
    since: str | None,
    until: str | None,
    words: str | None,
) -> "Filter":
    """Give the filter that the options describe.

    Raises:
        typer.BadParameter: one of them is malformed.
    """
    from app.cli.times import parse_time
    from consumers.letter_filter import UNSETTLED, Filter

    return Filter(
        states=[_parse_state(each) for each in state] if state else UNSETTLED,
        reason=_parse_code(code),
        type=type_name,
        source=source,
        command_id=command_id,
        key=None if key is None else key.encode(),
        topic=topic,
        partition=partition,
        since=None if since is None else parse_time("--since", since),
        until=None if until is None else parse_time("--until", until),
        words=words,
    )


def _parse_state(given: str) -> "LetterState":
    from consumers.letter_filter import LetterState

    if given not in set(LetterState):
        raise typer.BadParameter(f"--state: {given} is none; there are: {', '.join(LetterState)}")
    return LetterState(given)


def _parse_code(given: str | None) -> str | None:
    from messages.refusals import Reason

    if given is not None and given not in set(Reason):
        raise typer.BadParameter(f"--code: {given} is none; there are: {', '.join(Reason)}")
    return given


def parse_id(given: str, name: str) -> str:
    """Read an id.

    Raises:
        typer.BadParameter: it is none.
    """
    from uuid import UUID

    try:
        return str(UUID(given))
    except ValueError:
        raise typer.BadParameter(f"{name}: {given} is no id") from None

# ruff: noqa: INP001 - documents are no room, so they are no package either
"""Every verb of `squad` with its arguments and options, from the program itself."""

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

from typer.main import get_command

from app.cli.main import app
from docs.parts.tables import table

Verb = tuple[str, Any]
"""Words after `squad`, and what they run; typer's own classes, whose names change."""

_HELP: Final = "--help"


def verbs() -> list[Verb]:
    """Give every verb, by its words."""
    return sorted(_walk(get_command(app), ()))


def render() -> str:
    """Give a section for each verb."""
    return "\n\n".join(_render(words, verb) for words, verb in verbs())


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[Verb]:  # noqa: ANN401 - see Verb
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _walk(inner, (*words, name))
    else:
        yield " ".join(words), command


def _render(words: str, verb: Any) -> str:  # noqa: ANN401 - see Verb
    arguments = [each for each in verb.params if not _is_option(each)]
    options = [each for each in verb.params if _is_option(each) and _HELP not in each.opts]
    usage = " ".join(["squad", words, *map(_name, arguments), *(["[options]"] if options else [])])
    parts = [f"### `squad {words}`", f"```\n{usage}\n```", " ".join((verb.help or "").split())]
    if verb.params:
        rows = [(f"`{_name(each)}`", _default(each), _meaning(each)) for each in (*arguments, *options)]
        parts.append(table(("argument or option", "default", "meaning"), rows))
    return "\n\n".join(parts)


def _is_option(parameter: Any) -> bool:  # noqa: ANN401 - see Verb
    return bool(parameter.opts[0].startswith("-"))


def _name(parameter: Any) -> str:  # noqa: ANN401 - see Verb
    if _is_option(parameter):
        return "/".join(name[0] for name in (parameter.opts, parameter.secondary_opts) if name)
    return str(parameter.metavar or parameter.name).upper()


def _default(parameter: Any) -> str:  # noqa: ANN401 - see Verb
    if parameter.required:
        return "required"
    default = parameter.default
    return "" if default is None or default is False else f"`{default}`"


def _meaning(parameter: Any) -> str:  # noqa: ANN401 - see Verb
    annotation = parameter.type_descriptor.annotation
    # The argument of a list is what it is a list of, and no value that is allowed.
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    listed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return (parameter.help or "") + listed

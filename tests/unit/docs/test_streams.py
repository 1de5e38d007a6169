"""The pages of streams say what the rules do."""

from docs.parts import streams
from messages.registry import COMMANDS, EVENTS


def test_every_message_stands_in_the_page_of_its_stream() -> None:
    pages = {"user": streams.render_user(), "squad": streams.render_squad()}

    for message in (*COMMANDS.values(), *EVENTS.values()):
        assert f"| [`{message.name}`]" in pages[message.form.stream_kind]


def test_diagram_has_the_changes_that_state_machines_allow_and_no_others() -> None:
    page = streams.render_squad()

    assert "[*] --> Task_pending" in page
    assert {line.strip() for line in page.splitlines() if ": CompleteTask" in line} == {
        "Task_pending --> Task_completed: CompleteTask",
        "Task_in_progress --> Task_completed: CompleteTask",
    }


def test_commands_tell_states_sweeps_events_and_codes() -> None:
    [line] = [line for line in streams.render_squad().splitlines() if line.startswith("| [`squad.disband.v1`]")]

    assert "squad: active → disbanded; every open task of a squad becomes cancelled" in line
    assert "`squad.disbanded.v1`" in line
    assert line.endswith("| `squad-not-found`, `cannot-disband-disbanded-squad`, `squad-has-open-tasks` |")

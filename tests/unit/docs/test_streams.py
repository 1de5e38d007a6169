"""The pages of streams say what the rules do."""

from docs.parts import streams
from domain import transitions
from domain.transitions import NOT_FOUND, Transition
from messages.registry import COMMANDS, EVENTS

TRANSITIONS = {name: value for name, value in vars(transitions).items() if isinstance(value, Transition)}

PAGES = streams.render_user() + streams.render_squad()

EDGES = [line.strip() for line in PAGES.splitlines() if " --> " in line]


def test_every_message_stands_in_the_page_of_its_stream() -> None:
    pages = {"user": streams.render_user(), "squad": streams.render_squad()}

    for message in (*COMMANDS.values(), *EVENTS.values()):
        assert f"| [`{message.name}`]" in pages[message.form.stream_kind]


def test_diagrams_have_the_changes_that_state_machines_allow_and_no_others() -> None:
    """Commands have the names of their transitions: `StartTask` that of `START`, which is one of tasks."""
    allowed = set()
    for name, transition in TRANSITIONS.items():
        thing = type(transition.leads_to).__name__.removesuffix("Status")
        refusing = NOT_FOUND.union(transition.refusals)
        begins = [state for state in type(transition.leads_to) if state not in refusing]
        end, command = transition.leads_to, f"{name.partition('_')[0].title()}{thing}"
        allowed |= {f"{thing}_{begin} --> {thing}_{end}: {command}" for begin in begins}

    assert {edge for edge in EDGES if not edge.startswith("[*]")} == allowed


def test_diagrams_name_what_everything_begins_with() -> None:
    assert {edge for edge in EDGES if edge.startswith("[*]")} == {
        "[*] --> User_active: RegisterUser, RegisterUserIfAbsent, OnboardUser",
        "[*] --> Email_unverified: RegisterUser, RegisterUserIfAbsent, ChangeEmail, OnboardUser",
        "[*] --> Squad_active: CreateSquad, OnboardUser",
        "[*] --> Member_active: CreateSquad, OnboardUser, AddSquadMembers",
        "[*] --> Project_active: CreateProject",
        "[*] --> Task_pending: CreateTask, CreateTasks",
        "[*] --> Feedback_submitted: SubmitFeedback",
    }


def test_diagrams_have_every_state() -> None:
    for transition in TRANSITIONS.values():
        thing = type(transition.leads_to).__name__.removesuffix("Status")
        for state in type(transition.leads_to):
            assert f"        {thing}_{state}: {state}\n" in PAGES


def test_commands_tell_states_sweeps_events_and_codes() -> None:
    [line] = [line for line in streams.render_squad().splitlines() if line.startswith("| [`squad.disband.v1`]")]

    assert "squad: active → disbanded; every open task of a squad becomes cancelled" in line
    assert "`squad.disbanded.v1`" in line
    assert line.endswith("| `squad-not-found`, `cannot-disband-disbanded-squad`, `squad-has-open-tasks` |")

"""The outcome that nearly every command has is written by hand, and comes out as the others do."""

from hypothesis import given
from hypothesis import strategies as st

from messages.outcome import CommandOutcome, Outcome, encode_applied
from messages.registry import COMMANDS, OUTCOME


@given(
    st.text(min_size=1).filter(lambda text: "\0" not in text),
    st.text(min_size=1),
    st.sampled_from(sorted(COMMANDS)),
    st.integers(0, 2**62),
    st.lists(st.uuids().map(str), max_size=3),
)
def test_the_outcome_applied_is_written_as_any_other(source, command_id, type_name, version, event_ids):
    outcome = CommandOutcome(
        source=source,
        id=command_id,
        type=type_name,
        outcome=Outcome.APPLIED,
        version=version,
        event_ids=tuple(event_ids),
    )

    assert encode_applied(source, command_id, type_name, version, event_ids) == OUTCOME.encode(outcome)

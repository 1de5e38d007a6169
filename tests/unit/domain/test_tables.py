"""What holds for every command, and what a batch declares."""

import pytest

from domain.reads import Reads
from domain.tables import RULES
from messages.registry import COMMANDS
from tests.contracts.examples import EXAMPLES
from tests.making import new_id


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_declares_the_root_of_its_own_stream(name):
    command, reads = EXAMPLES[name], Reads()

    RULES[type(command)].read(command, reads)

    roots = reads.users if command.stream_kind == "user" else reads.squads
    assert roots[command.stream_id], f"{type(command).__name__} must lock its stream for change"


def test_a_root_read_and_changed_in_one_batch_is_locked_for_change():
    reads, user_id = Reads(), new_id()
    reads.user_to_change(user_id)
    reads.user_to_read(user_id)
    assert reads.users == {user_id: True}

    reads = Reads()
    reads.user_to_read(user_id)
    reads.user_to_change(user_id)
    assert reads.users == {user_id: True}

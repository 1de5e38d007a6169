"""A state is told when it begins and when it is over."""

import logging

from db.telling import Spell

LOGGER = logging.getLogger("squad.test")


def test_spell_is_told_at_its_beginning_and_its_end_however_often_it_is_tried(caplog):
    spell = Spell(LOGGER, "pruning postponed")
    with caplog.at_level(logging.INFO):
        spell.end()
        news = [spell.meet(ConnectionError("refused by Ada")) for _ in range(50)]
        spell.end()
        spell.end()

    assert news == [True] + [False] * 49
    begun, over = (each.getMessage() for each in caplog.records)
    assert begun == "pruning postponed, trying for as long as it takes: ConnectionError"
    assert over.startswith("pruning postponed: over after 0.")


def test_next_spell_is_told_again(caplog):
    spell = Spell(LOGGER, "pruning postponed")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            spell.meet(ConnectionError())
            spell.end()

    assert len(caplog.records) == 3

"""The hash of a password: stored, and known to nobody else."""

from collections import Counter

from domain import commands
from tests import making
from tests.making import FakeRecord, new_id, record, structured


async def test_password_hash_is_stored_and_kept_and_nothing_else_knows_it(bench, caplog):
    user_id = new_id()

    def set_hash(password_hash: str, command_id: str | None = None) -> FakeRecord:
        return record(commands.SetPasswordHash(user_id=user_id, password_hash=password_hash), command_id=command_id)

    await bench.apply(record(making.register_user(user_id)), set_hash("$hash-one"))
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-one",)]
    await bench.apply(record(commands.RenameUser(user_id=user_id, name="Grace")))
    assert await bench.rows("SELECT name, password_hash FROM users") == [("Grace", "$hash-one")]
    await bench.apply(set_hash("$hash-two", "1"))
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-two",)]
    counts = await bench.apply(set_hash("$hash-three", "1"))

    assert counts == Counter({"dead letter: id-conflict": 1})
    assert await bench.rows("SELECT password_hash FROM users") == [("$hash-two",)]
    for table in ("inbox", "outbox"):
        told = "".join(row[0] for row in await bench.rows(f"SELECT t::text FROM {table} t"))
        assert b"user.set-password-hash.v1".hex() in told
        assert "$hash" not in told
        assert b"$hash".hex() not in told
    assert "$hash" not in caplog.text


async def test_dead_letter_of_a_command_with_a_secret_is_published_without_its_value(bench):
    command = commands.SetPasswordHash(user_id=new_id(), password_hash="$hash")
    wrong = record(command, command_id="1")
    wrong.key = b"elsewhere"
    whole_event = structured(command, command_id="2")
    whole_event.key = b"elsewhere"

    await bench.apply(wrong, whole_event)

    assert await bench.rows("SELECT value FROM dead_letters ORDER BY command_id") == [
        (wrong.value,),
        (whole_event.value,),
    ]
    published = await bench.rows(
        "SELECT body, header_names, header_values FROM outbox WHERE topic = 'squad.dead-letters' ORDER BY position"
    )
    assert [body for body, _, _ in published] == [b"", b""]
    for letter, (_, names, values) in zip((wrong, whole_event), published, strict=True):
        told = dict(zip(names, values, strict=True))
        assert told["dead-letter-cut-from-bytes"] == str(len(letter.value or b"")).encode()
        assert not [value for value in values if b"$hash" in value]

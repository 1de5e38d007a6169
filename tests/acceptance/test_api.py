"""The HTTP API beside a consumer, on real Kafka and PostgreSQL: the guide's routes, one effect per request."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from api.asked import ask_again
from app import broker, wiring
from db.database import Database
from domain.commands import DeactivateUser, SetPasswordHash
from messages.outcome import Outcome
from tests import making
from tests.acceptance.conftest import eventually, send
from tests.conftest import make_settings
from tests.making import SOURCE, new_id
from tests.serving import Served, new_key, problem, running_parts, serving

NOBODY = "5a1f3c1e-7f0b-4c7e-9d0a-3b1f6f0c2d11"
HASH = "$argon2id$v=19$m=65536$a-secret-hash"


@pytest_asyncio.fixture(scope="module")
async def served(stack, module_database_url) -> AsyncIterator[Served]:
    """An API and a consumer, which the tests of this module share."""
    settings = make_settings(stack, module_database_url)
    await broker.create_topics(settings)
    async with (
        wiring.open_process(settings, "consumer") as process,
        running_parts(process.parts),
        serving(settings) as served,
    ):
        yield served
    await broker.delete_topics(settings)


@pytest_asyncio.fixture(scope="module")
async def stored(served, module_database_url) -> AsyncIterator[Database]:
    """The database behind it."""
    database = Database(url=module_database_url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
def client(served: Served) -> httpx.AsyncClient:
    """Whoever calls it."""
    return served.client


async def rows(database: Database, query: str, **values: object) -> list[tuple[object, ...]]:
    async with database.sessions() as session:
        return [tuple(row) for row in await session.execute(text(query), values)]


def new_user(name: str = "Ada") -> dict[str, str]:
    return {"email": f"{new_id()}@example.org", "name": name}


async def decide(served: Served, stored: Database, *commands) -> None:
    """Have commands of somebody else decided, one after the other."""
    for command in commands:
        [command_id] = await send(served.settings, [command])

        async def decided(command_id: str = command_id) -> bool:
            return bool(await rows(stored, "SELECT 1 FROM inbox WHERE command_id = :id", id=command_id))

        await eventually(f"{command} is decided", decided)


async def test_user_is_created_read_renamed_and_deleted_as_in_the_guide(client):
    new = new_user()
    created = await client.post("/users", json=new)
    user_id = created.json()["id"]
    path = f"/users/{user_id}"
    read = await client.get(path)
    renamed = await client.patch(path, json={"name": "Grace"})
    deleted = await client.delete(path)
    gone = [await client.get(path), await client.patch(path, json={"name": "Ada"}), await client.delete(path)]

    assert (created.status_code, created.headers["location"]) == (201, path)
    assert created.json() == read.json()
    assert {name: created.json()[name] for name in ("email", "name", "plan_tier")} == new | {"plan_tier": "free"}
    assert (renamed.status_code, renamed.json()) == (200, read.json() | {"name": "Grace"})
    assert (deleted.status_code, deleted.json()) == (200, {"message": "User deleted"})
    assert [(each.status_code, problem(each)["detail"]) for each in gone] == [(404, "User not found")] * 3
    assert (await client.post("/users/", json=new)).status_code == 201


async def test_of_two_at_once_with_one_email_one_is_created(client):
    new = new_user()
    answers = await asyncio.gather(*[client.post("/users", json=new | {"name": name}) for name in ("Ada", "Grace")])

    created, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert [refused.status_code, created.status_code] == [400, 201]
    assert problem(refused) | {"command_id": ""} == {
        "title": "Bad Request",
        "status": 400,
        "detail": "Email already exists",
        "code": "email-taken",
        "command_id": "",
    }


async def test_retry_with_the_same_key_is_one_effect_and_the_same_answer(client, stored):
    new, key = new_user(), new_key()
    headers = {"Idempotency-Key": key}
    answers = await asyncio.gather(*[client.post("/users", json=new, headers=headers) for _ in range(3)])
    answers += [await client.post("/users", json=new, headers={"Idempotency-Key": f'"{key.upper()}"'})]

    assert [(each.status_code, each.content) for each in answers] == [(201, answers[0].content)] * 4
    assert await rows(stored, "SELECT count(*) FROM users WHERE email = :email", email=new["email"]) == [(1,)]
    assert await rows(stored, "SELECT count(*) FROM inbox WHERE command_id = :key", key=key) == [(1,)]

    headers = {"Idempotency-Key": new_key()}
    deleted = [await client.delete(answers[0].headers["location"], headers=headers) for _ in range(2)]
    assert [each.status_code for each in deleted] == [200, 200]
    assert await rows(stored, "SELECT count(*) FROM dead_letters") == [(0,)]


async def test_key_that_was_used_for_something_else_is_refused_and_no_dead_letter(client, stored):
    key = {"Idempotency-Key": new_key()}
    assert (await client.post("/users", json=new_user(), headers=key)).status_code == 201

    other = await client.post("/users", json=new_user(), headers=key)

    assert other.status_code == 422
    assert "was used for another request" in problem(other)["detail"]
    assert await rows(stored, "SELECT count(*) FROM dead_letters") == [(0,)]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (NOBODY, "must be a UUID version 7"),
        ("anything", "must be a UUID version 7"),
        ("ffffffff-ffff-7000-8000-000000000000", "a time that no calendar has"),
        ("01000000-0000-7000-8000-000000000000", "too old"),
        ("02ffffff-ffff-7000-8000-000000000000", "from the future"),
    ],
)
async def test_key_that_cannot_be_a_commands_id_is_refused(client, key, said):
    refused = await client.post("/users", json=new_user(), headers={"Idempotency-Key": key})

    assert (refused.status_code, said in problem(refused)["detail"]) == (400, True)


@pytest.mark.parametrize("user_id", ["1", "not-a-uuid", f"{{{NOBODY}}}", f"{NOBODY}0", "%00", "%F0%9F%99%82"])
async def test_malformed_id_is_not_found_like_an_absent_one(client, user_id):
    absent, path = await client.get(f"/users/{NOBODY}"), f"/users/{user_id}"
    answers = [await client.get(path), await client.patch(path, json={"name": "Ada"}), await client.delete(path)]

    assert [(each.status_code, each.content) for each in answers] == [(404, absent.content)] * 3


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (b'{"email": "a@example.org", "name": "Ada", "nmae": "Eve"}', 422, "nmae"),
        (b'{"email": "a@example.org", "name": "Ada", "\\ud800": "Eve"}', 422, "body"),
        (b'{"email": "a@example.org", "name": "Ada", "no name": "Eve"}', 422, "(no name)"),
        (b'{"email": "a@example.org"}', 422, "name"),
        (b'{"email": "nobody", "name": "Ada"}', 422, "email"),
        (b'{"email": "a@example.org", "name": 7}', 422, "name"),
        (b'{"email": "a@example.org", "name": "Eve\\u0000"}', 422, "name"),
        (b'{"email": "a@example.org", "name": "Eve\\ud800"}', 422, "name"),
        (b'["Eve"]', 422, "body"),
        (b"", 422, "body"),
        (b"{", 400, None),
        (b"[" * 10_000, 400, None),
        (b"\xff", 400, None),
    ],
)
async def test_content_that_does_not_fit_is_refused_without_repeating_it(client, content, status, field):
    refused = await client.post("/users", content=content, headers={"Content-Type": "application/json"})

    assert (refused.status_code, list(problem(refused).get("errors", [None]))) == (status, [field])
    assert "Eve" not in refused.text


@pytest.mark.parametrize("declared", [True, False])
async def test_body_that_is_too_large_is_refused(client, declared):
    content = json.dumps(new_user("x" * 20_000)).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(content), 1_000):
            yield content[begin : begin + 1_000]

    headers = {"Content-Type": "application/json"}
    refused = await client.post("/users", content=content if declared else pieces(), headers=headers)

    assert (refused.status_code, problem(refused)["detail"]) == (413, "The body is larger than 16384 bytes")


async def test_unknown_routes_and_methods_are_problems_too(client):
    answers = [await client.get("/nowhere"), await client.put("/users")]

    assert [problem(each)["title"] for each in answers] == ["Not Found", "Method Not Allowed"]


async def test_rules_that_say_no_have_their_statuses(client, served, stored):
    created = [(await client.post("/users", json=new_user())).headers["location"] for _ in range(2)]
    owner, inactive = (path.removeprefix("/users/") for path in created)
    await decide(served, stored, making.create_squad(owner), DeactivateUser(user_id=inactive))

    owning = await client.delete(f"/users/{owner}")
    renamed = await client.patch(f"/users/{inactive}", json={"name": "Grace"})
    same = await client.patch(f"/users/{owner}", json={"name": "Ada"})

    assert (owning.status_code, problem(owning)["code"]) == (409, "user-owns-squads")
    assert (renamed.status_code, problem(renamed)["code"]) == (409, "user-inactive")
    assert (same.status_code, same.json()["name"]) == (200, "Ada")


async def test_hash_of_a_password_is_in_no_answer(client, served, stored):
    key = new_key()
    created = await client.post("/users", json=new_user(), headers={"Idempotency-Key": key})
    path = created.headers["location"]
    await decide(served, stored, SetPasswordHash(user_id=created.json()["id"], password_hash=HASH))
    answers = [
        await client.get(path),
        await client.patch(path, json={"name": "Grace"}),
        await client.get(f"/commands/{key}"),
        await client.get("/openapi.json"),
    ]

    assert [each.status_code for each in answers] == [200] * 4
    assert await rows(stored, "SELECT count(*) FROM users WHERE password_hash = :hash", hash=HASH) == [(1,)]
    assert [each.text for each in answers if "password" in each.text or "argon2" in each.text] == []


async def test_outcome_of_any_command_is_shown_by_its_id(client, served, stored):
    await decide(served, stored, making.transfer(new_id(), new_id()))
    [(command_id,)] = await rows(
        stored, "SELECT command_id FROM inbox WHERE source = :source ORDER BY decided_at DESC LIMIT 1", source=SOURCE
    )
    shown = await client.get(f"/commands/{command_id}", params={"source": SOURCE})
    unknown = await client.get(f"/commands/{command_id}")
    impossible = [await client.get("/commands/" + "x" * 256), await client.get("/commands/%00")]

    assert (shown.json()["outcome"], shown.json()["code"]) == (Outcome.REJECTED, "squad-not-found")
    assert (unknown.status_code, unknown.headers["retry-after"], unknown.json()["outcome"]) == (202, "1", None)
    assert [each.status_code for each in impossible] == [404, 404]


async def test_synchronous_route_counts_users(client, stored):
    counted = await client.get("/sync-route")

    assert counted.json() == {"users": (await rows(stored, "SELECT count(*) FROM users WHERE erased_at IS NULL"))[0][0]}


async def test_client_that_is_gone_leaves_nothing_behind_and_the_command_is_decided(client, served, stored):
    new = new_user()
    request = asyncio.create_task(client.post("/users", json=new))
    # Not `eventually`: it would miss the few milliseconds that the request waits.
    for _ in range(100_000):
        if served.api.outcomes.waiting:
            break
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait([request])

    async def registered() -> bool:
        return bool(await rows(stored, "SELECT 1 FROM users WHERE email = :email", email=new["email"]))

    await eventually("the user is registered", registered)
    assert request.cancelled()
    assert served.api.outcomes.waiting == 0


async def test_all_who_wait_share_one_look(client, served):
    looks = served.api.outcomes.looks
    answers = await asyncio.gather(*[client.post("/users", json=new_user()) for _ in range(60)])

    assert {each.status_code for each in answers} == {201}
    assert served.api.outcomes.looks - looks < 60


async def test_id_of_a_new_command_says_when_it_was_asked(client, stored):
    new = new_user()
    await client.post("/users", json=new)
    [(command_id, time)] = await rows(
        stored,
        "SELECT i.command_id, i.ce_time FROM inbox i JOIN users u ON u.id::text = i.key WHERE u.email = :email",
        email=new["email"],
    )

    assert ask_again(str(command_id)).time == time

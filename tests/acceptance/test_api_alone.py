"""The HTTP API while something it needs is away: what is answered, and that nothing is lost or done twice."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import make_url, text

from app.broker import TopicError
from app.cli.faults import explain
from app.listening import ListenError, listen
from app.serving import serve
from app.settings import Settings
from tests.acceptance.conftest import Process, eventually, running
from tests.acceptance.test_consuming import consuming, rows
from tests.making import new_id
from tests.serving import new_key, problem, serving

NOWHERE = "127.0.0.1:1"
PAGE = Path(__file__).parents[2] / "docs" / "http.md"


def setting(settings, **values):
    """Settings with others."""
    return settings.model_copy(update={"api_port": 0, **values})


def new_user() -> dict[str, str]:
    return {"email": f"{new_id()}@example.org", "name": "Ada"}


@asynccontextmanager
async def calling(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a `squad api` that runs, as soon as it listens."""
    pattern = re.compile(r"api listens at (\S+) port (\d+)")

    async def listens() -> bool:
        return pattern.search(process.printed) is not None

    await eventually("it listens", listens)
    [(host, port)] = pattern.findall(process.printed)
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=60) as client:
        yield client


async def leave(client: httpx.AsyncClient, new: dict[str, str]) -> None:
    """Ask for a user, and be gone before there is an answer."""
    body = json.dumps(new).encode()
    head = f"POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_without_a_consumer_the_answer_is_202_and_the_outcome_is_found_later(service, database):
    new, key = new_user(), new_key()
    headers = {"Idempotency-Key": key}
    with running(setting(service, api_wait_seconds=0.3), "api") as process:
        async with calling(process) as client:
            waited = [await client.post("/users", json=new, headers=headers) for _ in range(2)]
            place = waited[0].headers["location"]
            pending = await client.get(place)
            await leave(client, new_user())
            async with consuming(service, database):

                async def decided() -> bool:
                    return await rows(database, "SELECT count(*) FROM users") == [(2,)]

                await eventually("both are decided", decided)
                found = await client.get(place)
                again = await client.post("/users", json=new, headers=headers)
        code, printed = await asyncio.to_thread(process.stop)

    assert [(each.status_code, each.headers["retry-after"]) for each in (*waited, pending)] == [(202, "1")] * 3
    assert place == f"/commands/{key}"
    assert pending.json() == {"source": "/agent-squad-api", "id": key, "outcome": None}
    assert (found.status_code, found.json()["outcome"]) == (200, "applied")
    assert (again.status_code, again.json()["email"]) == (201, new["email"])
    assert await rows(database, "SELECT count(*) FROM inbox") == [(2,)]
    assert await rows(database, "SELECT count(*) FROM dead_letters") == [(0,)]
    assert (code, "api stopped" in printed) == (0, True), printed


async def test_told_to_stop_it_answers_who_waits_and_ends(service):
    with running(setting(service, api_wait_seconds=60), "api") as process:
        async with calling(process) as client:
            # Whoever is answered has been heard; only then is the next one sure to be under way.
            await client.get(f"/users/{new_id()}")
            request = asyncio.create_task(client.post("/users", json=new_user()))
            await asyncio.wait([request], timeout=0.5)
            assert not request.done()
            code, printed = await asyncio.to_thread(process.stop)
            answer = await request

    assert (answer.status_code, code) == (202, 0), printed


async def test_while_kafka_is_away_reads_go_on_and_writes_say_that_nothing_was_sent(service):
    async with serving(setting(service, kafka_bootstrap_servers=NOWHERE)) as served:
        refused = await served.client.post("/users", json=new_user())
        read = await served.client.get(f"/users/{new_id()}")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (problem(refused)["sent"], "location" in refused.headers) == ("no", False)
    assert read.status_code == 404


async def test_while_postgresql_is_away_it_says_what_was_sent(service, database):
    key = {"Idempotency-Key": new_key()}
    away = setting(service, database_url=f"postgresql+asyncpg://squad@{NOWHERE}/squad", api_wait_seconds=0.3)
    async with serving(away) as served:
        sent = await served.client.post("/users", json=new_user())
        not_sent = await served.client.post("/users", json=new_user(), headers=key)
        reads = [await served.client.get(path) for path in (f"/users/{new_id()}", "/commands/1", "/sync-route")]
    async with serving(setting(service)) as served, consuming(service, database):
        again = await served.client.delete(f"/users/{new_id()}")

        async def decided() -> bool:
            return await rows(database, "SELECT count(*) FROM inbox") == [(2,)]

        await eventually("both are decided", decided)
        found = await served.client.get(sent.headers["location"])

    assert [(each.status_code, each.headers["retry-after"]) for each in (sent, not_sent, *reads)] == [(503, "1")] * 5
    assert [problem(each).get("sent") for each in (sent, not_sent, *reads)] == ["yes", "no", None, None, None]
    assert (found.json()["outcome"], again.status_code) == ("applied", 404)


async def test_it_needs_no_more_rights_than_its_page_says(service, database):
    [granted] = re.findall(r"^Its role in PostgreSQL needs SELECT on (.+?);", PAGE.read_text(), re.M | re.S)
    tables, role = ", ".join(re.findall(r"`(\w+)`", granted)), f"api_{uuid4().hex}"
    url = make_url(service.database_url).set(username=role).render_as_string(hide_password=False)
    async with database.transaction() as session:
        await session.execute(text(f"CREATE ROLE {role} LOGIN"))
        await session.execute(text(f"GRANT SELECT ON {tables} TO {role}"))
    try:
        async with serving(setting(service, database_url=url)) as served, consuming(service, database):
            key = {"Idempotency-Key": new_key()}
            created = await served.client.post("/users", json=new_user(), headers=key)
            path = created.headers["location"]
            answers = [
                created,
                await served.client.patch(path, json={"name": "Grace"}),
                await served.client.get("/sync-route"),
                await served.client.delete(path),
            ]
    finally:
        async with database.transaction() as session:
            await session.execute(text(f"DROP OWNED BY {role}"))
            await session.execute(text(f"DROP ROLE {role}"))

    assert [each.status_code for each in answers] == [201, 200, 200, 200]


async def test_synchronous_route_is_not_there_behind_a_pooler(settings):
    behind = setting(settings, database_pooler="pgbouncer-transaction", kafka_bootstrap_servers=NOWHERE)
    async with serving(behind) as served:
        answer = await served.client.get("/sync-route")

    assert (answer.status_code, "pooler" in problem(answer)["detail"]) == (501, True)


async def test_answers_do_not_wait_for_the_clients_acknowledgements():
    delays: asyncio.Queue[int] = asyncio.Queue()

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        delays.put_nowait(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen(Settings(api_port=0)) as listening:
        async with await asyncio.start_server(note, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            assert await delays.get() == 1
            writer.close()
            await writer.wait_closed()


def test_address_that_is_taken_is_told_with_its_settings():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as told:
            listen(Settings(api_port=port))

    said, exit_code = explain(told.value) or ("", 0)
    assert said.startswith(f"cannot listen at 127.0.0.1 port {port} (SQUAD_API_HOST, SQUAD_API_PORT): ")
    assert exit_code == 1


@pytest.mark.real_kafka("topics that are missing")
async def test_it_does_not_start_where_topics_are_missing(settings):
    with pytest.raises(TopicError, match="`squad topics create` makes it"):
        await serve(setting(settings))

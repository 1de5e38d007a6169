"""The HTTP API over a broker that stops in the middle: what it says was sent, and what became of that."""

import os
import signal
from contextlib import AsyncExitStack

import httpx
import pytest

from app import wiring
from app.settings import Settings
from tests.faults.servers import own_ground, start_own, why_none
from tests.making import new_id
from tests.serving import new_key, problem, running_parts, serving


def new_user() -> dict[str, str]:
    return {"email": f"{new_id()}@example.org", "name": "Ada"}


async def retry(client: httpx.AsyncClient, new: dict[str, str], key: str) -> httpx.Response:
    """Ask as a client does that was told to come again."""
    answer = await client.post("/users", json=new, headers={"Idempotency-Key": key})
    for _ in range(20):
        if answer.status_code not in (202, 503):
            break
        answer = await client.post("/users", json=new, headers={"Idempotency-Key": key})
    return answer


@pytest.mark.long_faults
@pytest.mark.skipif(bool(why_none()), reason=why_none())
async def test_broker_that_stops_and_goes_on_costs_one_answer_and_no_command():
    async with AsyncExitStack() as all_of_it:
        servers = await all_of_it.enter_async_context(start_own())
        asked = Settings(api_send_timeout_seconds=1, api_wait_seconds=2)
        settings = await all_of_it.enter_async_context(own_ground(servers, asked))
        process = await all_of_it.enter_async_context(wiring.open_process(settings, "consumer"))
        await all_of_it.enter_async_context(running_parts(process.parts))
        client = (await all_of_it.enter_async_context(serving(settings))).client
        new, key = new_user(), new_key()
        before = await client.post("/users", json=new_user())
        os.kill(servers.pids["kafka"], signal.SIGSTOP)
        stopped = await client.post("/users", json=new, headers={"Idempotency-Key": key})
        os.kill(servers.pids["kafka"], signal.SIGCONT)
        after = await retry(client, new, key)
        servers.kill_kafka()
        killed = await client.post("/users", json=new_user())
        servers.restart_kafka()
        restarted = await retry(client, new_user(), new_key())
        users = await client.get("/sync-route")

    assert (before.status_code, after.status_code, restarted.status_code) == (201, 201, 201)
    assert (stopped.status_code, problem(stopped)["sent"]) == (503, "unknown")
    assert killed.status_code == 503
    possible = {"no": {3}, "unknown": {3, 4}}
    assert users.json()["users"] in possible[problem(killed)["sent"]]

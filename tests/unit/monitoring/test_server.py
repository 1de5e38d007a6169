"""What a process answers: from the loop that it tells of, and without it when that stands still."""

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from app.monitoring.asking import why_ill
from app.monitoring.loop_watch import LoopWatch
from app.monitoring.readings import Reading
from app.monitoring.server import ListenError, Monitoring, serving
from app.settings import Settings, SettingsError

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nobody listens there


@asynccontextmanager
async def watching(**options):
    """Run a watch of this loop."""
    watch = LoopWatch(interval_seconds=0.02, **options)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run())
        await asyncio.sleep(0)
        yield watch
        watch.stop()


@contextmanager
def served(watch, *, readers=(), ready=None, alive_seconds=10.0, answer_seconds=5.0):
    monitoring = Monitoring(
        loop=asyncio.get_running_loop(),
        watch=watch,
        readers=readers,
        ready=ready or {},
        alive_seconds=alive_seconds,
        answer_seconds=answer_seconds,
    )
    with serving(monitoring, address="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


def fetch(address: str, method: str = "GET") -> tuple[int, str]:
    try:
        with urlopen(Request(address, method=method), timeout=10) as answer:  # noqa: S310 - our own
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def test_process_is_asked_whether_it_lives_where_its_settings_say():
    async with watching() as watch:
        with served(watch) as well, served(watch, alive_seconds=-1) as ill:
            ports = [int(address.rpartition(":")[2]) for address in (well, ill)]
            settings = [Settings(monitoring_port=port, monitoring_address=EVERYWHERE) for port in ports]
            said = [await asyncio.to_thread(why_ill, each) for each in settings]

    assert said[0] is None
    assert said[1] is not None
    assert json.loads(said[1])["alive"] is False


@pytest.mark.parametrize("port", [None, 0])
def test_process_whose_port_nobody_knows_cannot_be_asked(port):
    with pytest.raises(SettingsError, match="SQUAD_MONITORING_PORT: is where the process is asked"):
        why_ill(Settings(monitoring_port=port))


async def test_metrics_are_read_by_the_loop_at_the_time_of_asking():
    counts, loops = [1.0], []

    def read():
        loops.append(asyncio.get_running_loop())
        yield Reading("squad_culprits_total", counts[0])

    async with watching() as watch:
        with served(watch, readers=[read]) as address:
            _, first = await asyncio.to_thread(fetch, f"{address}/metrics")
            counts[0] = 2
            _, second = await asyncio.to_thread(fetch, f"{address}/metrics?again")

    assert "\nsquad_culprits_total 1.0\n" in first
    assert "\nsquad_culprits_total 2.0\n" in second
    assert loops == [asyncio.get_running_loop()] * 2


async def test_ready_names_what_is_not():
    parts = {"database": lambda: "last answer: 17 s ago", "group": lambda: None}
    async with watching() as watch:
        with served(watch, ready=parts) as address:
            status, body = await asyncio.to_thread(fetch, f"{address}/readyz")
            parts["database"] = lambda: None
            well, _ = await asyncio.to_thread(fetch, f"{address}/readyz")

    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(body) == {"ready": False, "parts": {"database": "last answer: 17 s ago", "group": "ok"}}
    assert well == HTTPStatus.OK


async def test_it_answers_while_the_loop_is_blocked_and_says_so():
    async with watching() as watch:
        options = {"readers": [lambda: [Reading("squad_culprits_total", 7)]], "alive_seconds": 0.1}
        with served(watch, answer_seconds=0.1, **options) as address:
            alive, _ = await asyncio.to_thread(fetch, f"{address}/healthz")
            await asyncio.to_thread(fetch, f"{address}/metrics")

            def ask_all() -> list[tuple[int, str]]:
                time.sleep(0.3)
                return [fetch(f"{address}/{path}") for path in ("healthz", "readyz", "metrics")]

            with ThreadPoolExecutor(1) as beside:
                # Not awaited: this thread, which is the loop's, stands still until all is answered.
                health, ready, metrics = beside.submit(ask_all).result(timeout=30)

    assert alive == HTTPStatus.OK
    assert health[0] == ready[0] == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(health[1])["alive"] is False
    assert "it has not answered for" in json.loads(ready[1])["parts"]["event loop"]
    assert "\nsquad_culprits_total 7.0\n" in metrics[1], "what was read last"
    [silent] = [line for line in metrics[1].splitlines() if line.startswith("squad_event_loop_silent_seconds ")]
    assert float(silent.split()[1]) > 0.1, "and how it is now"


async def test_reader_that_fails_is_an_error_of_that_page_alone(caplog):
    def read():
        raise ZeroDivisionError

    async with watching() as watch:
        with served(watch, readers=[read]) as address:
            status, _ = await asyncio.to_thread(fetch, f"{address}/metrics")
            alive, _ = await asyncio.to_thread(fetch, f"{address}/healthz")

    assert (status, alive) == (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.OK)
    assert "/metrics cannot be answered" in caplog.text


async def test_nothing_else_is_answered_and_a_head_has_no_body():
    async with watching() as watch:
        with served(watch) as address:
            other = await asyncio.to_thread(fetch, f"{address}/../etc/passwd")
            head = await asyncio.to_thread(fetch, f"{address}/metrics", "HEAD")
            post = await asyncio.to_thread(fetch, f"{address}/metrics", "POST")

    assert other[0] == HTTPStatus.NOT_FOUND
    assert head == (HTTPStatus.OK, "")
    assert post[0] == HTTPStatus.NOT_IMPLEMENTED


async def test_port_that_is_taken_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monitoring = Monitoring(
            loop=asyncio.get_running_loop(), watch=LoopWatch(), readers=[], ready={}, alive_seconds=1
        )
        said = f"cannot listen on 127.0.0.1 port {port}: Address already in use"
        with pytest.raises(ListenError, match=said), serving(monitoring, address="127.0.0.1", port=port):
            pass

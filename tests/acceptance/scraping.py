"""Asking a process for what it tells by HTTP."""

import asyncio
import re
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import Process

Samples = dict[tuple[str, str], float]


async def ask(process: Process, path: str) -> tuple[int, str]:
    """Ask a process that runs; its log tells at which port."""
    said = re.search(r"metrics and health at \S+ port (\d+)", process.printed)
    if said is None:
        return 0, ""

    def fetch() -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{said[1]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


async def scrape(process: Process) -> tuple[Samples, dict[str, str]]:
    """Give samples by name and label value, and the kind of each metric."""
    _, page = await ask(process, "/metrics")
    samples, kinds = {}, {}
    for family in text_string_to_metric_families(page):
        kinds[family.name] = family.type
        for sample in family.samples:
            labels = [f"{value}" for name, value in sample.labels.items() if name != "le"]
            samples[sample.name, ",".join(labels)] = sample.value
    return samples, kinds

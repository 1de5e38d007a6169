"""Runs a peer's program and takes what it prints."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.peers.environments import PEERS, NotInstalledError, python_of

ROOT: Final = PEERS.parents[1]
TIMEOUT_SECONDS: Final = 300


async def run_peer(peer: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Run a peer's program to its end.

    Args:
        peer: a directory beside this file.
        given: what the program is told.

    Returns:
        What it printed, with `status` "measured"; or only a `status` that says why there is nothing.
    """
    try:
        python = await asyncio.to_thread(python_of, peer)
    except NotInstalledError as error:
        return {"status": f"not installed: {error}"}
    process = await asyncio.create_subprocess_exec(
        python,
        str(Path(__file__).parent / peer / "program.py"),
        json.dumps(given),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            printed, faults = await process.communicate()
    except TimeoutError:
        return {"status": f"gave up after {TIMEOUT_SECONDS} s"}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return {"status": f"failed: {faults.decode().strip().rpartition(chr(10))[2]}"}
    return {"status": "measured", **json.loads(printed)}

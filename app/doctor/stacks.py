"""Which stack demo, tests and `squad up` would get on this machine, and what the next better one lacks."""

from collections.abc import Mapping
from typing import get_args

from app.doctor.finding import Finding, Verdict
from stack.choice import MEANINGS, Kind, obstacle_of


def check_stacks(environment: Mapping[str, str]) -> Finding:
    """Say what there is on this machine; it is never a fault: a service runs on others' servers.

    Args:
        environment: the process environment.
    """
    lacking: list[str] = []
    kinds = [kind for kind in get_args(Kind) if kind != "external"]
    for kind in kinds:
        obstacle = obstacle_of(kind, environment)
        if obstacle is None:
            return Finding(
                name="local-stack",
                verdict=Verdict.OK,
                found=f"{kind}: {MEANINGS[kind]}",
                advice=f"for {lacking[-1]}" if lacking else "",
            )
        lacking.append(f"{kind}: {obstacle}")
    return Finding(name="local-stack", verdict=Verdict.OK, found="none", advice=f"for {'; or for '.join(lacking)}")

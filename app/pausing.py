"""What an operator can pause: the consumer, one of its partitions, the relay, one of its shards."""

import re
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from consumers import checkpoints
from consumers.records import Partition
from db.controls import CONSUMER, RELAY
from outbox.lease import relay_lease
from outbox.shards import fetch_shards

_SHARD: Final = re.compile(rf"{RELAY}-(\d{{1,9}})")
_PARTITION: Final = re.compile(r"(?:(?P<topic>.+)\[(?P<listed>\d{1,9})\]|(?P<number>\d{1,9}))")


class TargetError(Exception):
    """There is no such thing to pause; the message says what there is."""


def parse_target(settings: Settings, given: str) -> str:
    """Give the name in the table `controls` of what an operator named.

    Args:
        settings: of the service.
        given: `consumer`, `relay`, `relay-0` and so on, or a partition of the commands: its number, or with the topic.

    Raises:
        TargetError: it is no such name.
    """
    if given in {CONSUMER, RELAY} or _SHARD.fullmatch(given):
        return given
    named = _PARTITION.fullmatch(given)
    if named is None:
        raise TargetError(f"{given} is neither {CONSUMER} nor {RELAY}, nor a shard such as {RELAY}-0, nor a partition")
    return str(Partition(named["topic"] or settings.topic("commands"), int(named["number"] or named["listed"])))


async def check_target(session: AsyncSession, settings: Settings, target: str) -> None:
    """See that there is what is to be paused: a slip of the pen would pause nothing.

    Args:
        session: any.
        settings: of the service.
        target: from `parse_target`.

    Raises:
        TargetError: there is no such thing.
    """
    if _SHARD.fullmatch(target):
        there_are = [relay_lease(each.shard) for each in await fetch_shards(session)]
        if target not in there_are:
            raise TargetError(f"there is no shard {target}; there are {', '.join(there_are)}")
    elif target not in {CONSUMER, RELAY}:
        group, topic = settings.consumer_group, settings.topic("commands")
        there_are = [str(each) for each in sorted(await checkpoints.load_topic(session, group, topic))]
        if target not in there_are:
            raise TargetError(f"no consumer of {group} ever read {target}; read are {', '.join(there_are) or 'none'}")

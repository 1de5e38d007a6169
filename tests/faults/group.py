"""Says goodbye to the consumer group on behalf of a killed member, which else is missed only after its session time."""

from aiokafka.protocol.group import LeaveGroupRequest

from app import broker
from app.settings import Settings


async def bury_members(settings: Settings) -> None:
    """Have the group forget all members, none of whom may live any more."""
    group = settings.consumer_group
    async with broker.open_admin(settings) as admin:
        coordinator = await admin.find_coordinator(group)
        (described,) = await admin.describe_consumer_groups([group], group_coordinator_id=coordinator)
        for _, _, _, _, _, members, *_ in described.groups:
            for member_id, *_ in members:
                # No public call of the client does this for another.
                await admin._send_request_to_node(coordinator, LeaveGroupRequest(group, member_id))

"""Messages of squads and their members."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import MEMBER, OTHER, SQUAD, USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.create.v1": commands.CreateSquad(
        squad_id=SQUAD, user_id=USER, name="Red", description="The first", roles=("developer", "tester")
    ),
    "squad.transfer-ownership.v1": commands.TransferSquadOwnership(squad_id=SQUAD, new_owner_id=OTHER),
    "squad.created.v1": events.SquadCreated(
        squad_id=SQUAD,
        user_id=USER,
        name="Red",
        members=(events.NewMember(member_id=MEMBER, role="developer"),),
        created_at=NOON,
    ),
    "squad.ownership-transferred.v1": events.SquadOwnershipTransferred(
        squad_id=SQUAD, from_user_id=USER, to_user_id=OTHER
    ),
}

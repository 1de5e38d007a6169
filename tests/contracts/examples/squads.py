"""Messages of squads."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import MEMBER, OTHER, SQUAD, TASK, USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.create.v1": commands.CreateSquad(
        squad_id=SQUAD, user_id=USER, name="Red", description="The first", roles=("developer", "tester")
    ),
    "squad.onboard-user.v1": commands.OnboardUser(
        squad_id=SQUAD,
        user_id=USER,
        email="Ada@Example.org",
        name="Ada",
        squad_name="Red",
        roles=("developer",),
        squad_optional=True,
    ),
    "squad.rename.v1": commands.RenameSquad(squad_id=SQUAD, name="Blue"),
    "squad.describe.v1": commands.DescribeSquad(squad_id=SQUAD, description="The second"),
    "squad.transfer-ownership.v1": commands.TransferSquadOwnership(squad_id=SQUAD, new_owner_id=OTHER),
    "squad.disband.v1": commands.DisbandSquad(squad_id=SQUAD, cancel_open_tasks=True),
    "squad.created.v1": events.SquadCreated(
        squad_id=SQUAD,
        user_id=USER,
        name="Red",
        members=(events.NewMember(member_id=MEMBER, role="developer"),),
        created_at=NOON,
    ),
    "squad.renamed.v1": events.SquadRenamed(squad_id=SQUAD, name="Blue"),
    "squad.described.v1": events.SquadDescribed(squad_id=SQUAD, description="The second"),
    "squad.ownership-transferred.v1": events.SquadOwnershipTransferred(
        squad_id=SQUAD, from_user_id=USER, to_user_id=OTHER
    ),
    "squad.disbanded.v1": events.SquadDisbanded(
        squad_id=SQUAD, disbanded_at=NOON, cancelled_count=1, cancelled_task_ids=(TASK,)
    ),
}

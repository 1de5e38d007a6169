"""Messages of the members of squads."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import MEMBER, SQUAD, TASK, USER
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.add-members.v1": commands.AddSquadMembers(squad_id=SQUAD, roles=("developer", "tester")),
    "squad.change-member-role.v1": commands.ChangeMemberRole(squad_id=SQUAD, member_id=MEMBER, role="tester"),
    "squad.seat-user.v1": commands.SeatUser(squad_id=SQUAD, member_id=MEMBER, user_id=USER),
    "squad.unseat-user.v1": commands.UnseatUser(squad_id=SQUAD, member_id=MEMBER),
    "squad.remove-member.v1": commands.RemoveMember(squad_id=SQUAD, member_id=MEMBER),
    "squad.members-added.v1": events.SquadMembersAdded(
        squad_id=SQUAD, members=(events.NewMember(member_id=MEMBER, role="developer"),), added_at=NOON
    ),
    "squad.member-role-changed.v1": events.MemberRoleChanged(squad_id=SQUAD, member_id=MEMBER, role="tester"),
    "squad.user-seated.v1": events.UserSeated(squad_id=SQUAD, member_id=MEMBER, user_id=USER),
    "squad.user-unseated.v1": events.UserUnseated(squad_id=SQUAD, member_id=MEMBER, user_id=USER),
    "squad.member-removed.v1": events.MemberRemoved(
        squad_id=SQUAD, member_id=MEMBER, removed_at=NOON, unassigned_count=1, unassigned_task_ids=(TASK,)
    ),
}

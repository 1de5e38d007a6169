"""Commands about squads, their members and their projects."""

from bench.mixing.picture import ROLES, Makers, Picture, PicturedMember, PicturedSquad
from domain import commands
from domain.values import TaskStatus


class Squads:
    """Asks for commands about squads.

    Args:
        picture: what there is.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def makers(self) -> Makers:
        """Give what asks for each type."""
        return {
            "squad.create.v1": self.create,
            "squad.onboard-user.v1": self._onboard_user,
            "squad.rename.v1": self._rename,
            "squad.describe.v1": self._describe,
            "squad.transfer-ownership.v1": self._transfer,
            "squad.disband.v1": self._disband,
            "squad.add-members.v1": self._add_members,
            "squad.change-member-role.v1": self._change_member_role,
            "squad.seat-user.v1": self._seat_user,
            "squad.unseat-user.v1": self._unseat_user,
            "squad.remove-member.v1": self._remove_member,
            "squad.create-project.v1": self._create_project,
            "squad.rename-project.v1": self._rename_project,
            "squad.archive-project.v1": self._archive_project,
            "squad.reopen-project.v1": self._reopen_project,
        }

    def create(self) -> commands.Command:
        """Ask for a squad with two members."""
        roles, members = self._picture.new_members(2)
        squad = self._new_squad(PicturedSquad(self._picture.new_id(), members))
        return commands.CreateSquad(
            squad_id=squad.id, user_id=self._picture.settled_user(), name=self._picture.new_name("Squad"), roles=roles
        )

    def create_project(self, squad: PicturedSquad) -> commands.Command:
        """Ask for a project in a squad."""
        squad.projects.append(self._picture.new_id())
        return commands.CreateProject(
            squad_id=squad.id, project_id=squad.projects[-1], name=self._picture.new_name("Project")
        )

    def _new_squad(self, squad: PicturedSquad) -> PicturedSquad:
        self._picture.squads.append(squad)
        return squad

    def _onboard_user(self) -> commands.Command:
        roles, members = self._picture.new_members(2)
        squad, user_id = self._new_squad(PicturedSquad(self._picture.new_id(), members)), self._picture.new_id()
        return commands.OnboardUser(
            squad_id=squad.id,
            user_id=user_id,
            email=f"{user_id}@example.org",
            name=self._picture.new_name("Agent"),
            squad_name=self._picture.new_name("Squad"),
            roles=roles,
        )

    def _rename(self) -> commands.Command | None:
        squad = self._any()
        return None if squad is None else commands.RenameSquad(squad_id=squad.id, name=self._picture.new_name("Squad"))

    def _describe(self) -> commands.Command | None:
        squad = self._any()
        return (
            None
            if squad is None
            else commands.DescribeSquad(squad_id=squad.id, description=self._picture.new_name("What it is for"))
        )

    def _transfer(self) -> commands.Command | None:
        """Ask for another owner; now and then they own the squad already, which is refused."""
        squad = self._any()
        return (
            None
            if squad is None
            else commands.TransferSquadOwnership(squad_id=squad.id, new_owner_id=self._picture.settled_user())
        )

    def _disband(self) -> commands.Command | None:
        squad = self._any()
        if squad is None:
            return None
        self._picture.squads.remove(squad)
        return commands.DisbandSquad(squad_id=squad.id, cancel_open_tasks=True)

    def _add_members(self) -> commands.Command | None:
        squad = self._any()
        if squad is None:
            return None
        roles, members = self._picture.new_members(self._picture.chance.randint(1, 5))
        squad.members += members
        return commands.AddSquadMembers(squad_id=squad.id, roles=roles)

    def _change_member_role(self) -> commands.Command | None:
        squad = self._picture.find(self._picture.squads, lambda each: each.members)
        if squad is None:
            return None
        member = self._picture.chance.choice(squad.members)
        member.role = self._picture.other(ROLES, member.role)
        return commands.ChangeMemberRole(squad_id=squad.id, member_id=member.id, role=member.role)

    def _seat_user(self) -> commands.Command | None:
        found = self._member(is_seated=False)
        if found is None:
            return None
        squad, member = found
        member.is_seated = True
        return commands.SeatUser(squad_id=squad.id, member_id=member.id, user_id=self._picture.settled_user())

    def _unseat_user(self) -> commands.Command | None:
        found = self._member(is_seated=True)
        if found is None:
            return None
        squad, member = found
        member.is_seated = False
        return commands.UnseatUser(squad_id=squad.id, member_id=member.id)

    def _remove_member(self) -> commands.Command | None:
        squad = self._picture.find(self._picture.squads, lambda each: each.members)
        if squad is None:
            return None
        member = squad.members.pop(self._picture.chance.randrange(len(squad.members)))
        for task in squad.open_tasks():
            task.assignee = None if task.assignee == member.id else task.assignee
        return commands.RemoveMember(squad_id=squad.id, member_id=member.id)

    def _create_project(self) -> commands.Command | None:
        squad = self._any()
        return None if squad is None else self.create_project(squad)

    def _rename_project(self) -> commands.Command | None:
        squad = self._picture.find(self._picture.squads, lambda each: each.projects)
        return (
            None
            if squad is None
            else commands.RenameProject(
                squad_id=squad.id,
                project_id=self._picture.chance.choice(squad.projects),
                name=self._picture.new_name("Project"),
            )
        )

    def _archive_project(self) -> commands.Command | None:
        squad = self._picture.find(self._picture.squads, lambda each: each.projects)
        if squad is None:
            return None
        project = squad.projects.pop(self._picture.chance.randrange(len(squad.projects)))
        squad.archived.append(project)
        for task in squad.open_tasks(project):
            task.status = TaskStatus.CANCELLED
        return commands.ArchiveProject(squad_id=squad.id, project_id=project, cancel_open_tasks=True)

    def _reopen_project(self) -> commands.Command | None:
        squad = self._picture.find(self._picture.squads, lambda each: each.archived)
        if squad is None:
            return None
        squad.projects.append(squad.archived.pop())
        return commands.ReopenProject(squad_id=squad.id, project_id=squad.projects[-1])

    def _any(self) -> PicturedSquad | None:
        return self._picture.find(self._picture.squads, lambda _: True)

    def _member(self, *, is_seated: bool) -> tuple[PicturedSquad, PicturedMember] | None:
        squad = self._picture.find(
            self._picture.squads, lambda each: any(member.is_seated is is_seated for member in each.members)
        )
        return (
            None
            if squad is None
            else (squad, next(member for member in squad.members if member.is_seated is is_seated))
        )

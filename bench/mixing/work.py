"""Commands about what goes on in a squad: tasks, feedback, usage."""

from collections.abc import Callable

from bench.mixing.picture import Makers, Picture, PicturedSquad, PicturedTask
from domain import commands
from domain.commands import NewTask
from domain.values import Priority, TaskStatus

METRICS = ("tokens", "runs", "tool-calls")
MONTHS = ("2026-10", "2026-11")
PRIORITIES = tuple(Priority)


class Work:
    """Asks for commands about what goes on in squads.

    Args:
        picture: what there is.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._chance = picture.chance

    def makers(self) -> Makers:
        """Give what asks for each type."""
        return {
            "squad.create-task.v1": self._create_task,
            "squad.create-tasks.v1": self._create_tasks,
            "squad.assign-task.v1": self._assign_task,
            "squad.change-task-priority.v1": self._change_task_priority,
            "squad.start-task.v1": self._start_task,
            "squad.complete-task.v1": self._complete_task,
            "squad.cancel-task.v1": self._cancel_task,
            "squad.reopen-task.v1": self._reopen_task,
            "squad.complete-project-tasks.v1": self._complete_project_tasks,
            "squad.submit-feedback.v1": self._submit_feedback,
            "squad.withdraw-feedback.v1": self._withdraw_feedback,
            "squad.record-usage.v1": self._record_usage,
            "squad.set-usage-limit.v1": self._set_usage_limit,
        }

    def create_task(self, squad: PicturedSquad) -> commands.Command:
        """Ask for a task in one of a squad's projects."""
        task = self._new_task(squad, self._chance.choice(squad.projects))
        return commands.CreateTask(
            squad_id=squad.id,
            project_id=task.project,
            task_id=task.id,
            title=self._picture.new_name("Task"),
            priority=task.priority,
        )

    def _new_task(self, squad: PicturedSquad, project: str) -> PicturedTask:
        squad.tasks.append(PicturedTask(self._picture.new_id(), project, self._chance.choice(PRIORITIES)))
        return squad.tasks[-1]

    def _create_task(self) -> commands.Command | None:
        squad = self._with(lambda each: each.projects)
        return None if squad is None else self.create_task(squad)

    def _create_tasks(self) -> commands.Command | None:
        squad = self._with(lambda each: each.projects)
        if squad is None:
            return None
        project = self._chance.choice(squad.projects)
        made = [self._new_task(squad, project) for _ in range(self._chance.randint(2, 10))]
        tasks = tuple(
            NewTask(task_id=task.id, title=self._picture.new_name("Task"), priority=task.priority) for task in made
        )
        return commands.CreateTasks(squad_id=squad.id, project_id=project, tasks=tasks)

    def _assign_task(self) -> commands.Command | None:
        found = self._task(lambda task: task.is_open)
        if found is None:
            return None
        squad, task = found
        members = [each.id for each in squad.members if each.id != task.assignee]
        if not members:
            return None
        task.assignee = self._chance.choice(members)
        return commands.AssignTask(squad_id=squad.id, task_id=task.id, member_id=task.assignee)

    def _change_task_priority(self) -> commands.Command | None:
        found = self._task(lambda task: task.is_open)
        if found is None:
            return None
        squad, task = found
        task.priority = self._picture.other(PRIORITIES, task.priority)
        return commands.ChangeTaskPriority(squad_id=squad.id, task_id=task.id, priority=task.priority)

    def _start_task(self) -> commands.Command | None:
        found = self._task(lambda task: task.status is TaskStatus.PENDING)
        if found is None:
            return None
        squad, task = found
        task.status = TaskStatus.IN_PROGRESS
        return commands.StartTask(squad_id=squad.id, task_id=task.id)

    def _complete_task(self) -> commands.Command | None:
        found = self._task(lambda task: task.is_open)
        if found is None:
            return None
        squad, task = found
        task.status = TaskStatus.COMPLETED
        return commands.CompleteTask(squad_id=squad.id, task_id=task.id)

    def _cancel_task(self) -> commands.Command | None:
        found = self._task(lambda task: task.is_open)
        if found is None:
            return None
        squad, task = found
        task.status = TaskStatus.CANCELLED
        return commands.CancelTask(squad_id=squad.id, task_id=task.id)

    def _reopen_task(self) -> commands.Command | None:
        found = self._task(lambda task: not task.is_open)
        if found is None:
            return None
        squad, task = found
        if task.project not in squad.projects:
            return None
        task.status, task.assignee = TaskStatus.PENDING, None
        return commands.ReopenTask(squad_id=squad.id, project_id=task.project, task_id=task.id)

    def _complete_project_tasks(self) -> commands.Command | None:
        squad = self._with(lambda each: each.projects)
        if squad is None:
            return None
        project = self._chance.choice(squad.projects)
        for task in squad.open_tasks(project):
            task.status = TaskStatus.COMPLETED
        return commands.CompleteProjectTasks(squad_id=squad.id, project_id=project)

    def _submit_feedback(self) -> commands.Command | None:
        squad = self._with(lambda each: each.tasks)
        if squad is None:
            return None
        squad.feedback.append(self._picture.new_id())
        return commands.SubmitFeedback(
            squad_id=squad.id,
            feedback_id=squad.feedback[-1],
            rating=self._chance.randint(1, 5),
            comment=self._picture.new_name("Done well, number"),
            task_id=self._chance.choice(squad.tasks).id,
            user_id=self._picture.settled_user(),
        )

    def _withdraw_feedback(self) -> commands.Command | None:
        squad = self._with(lambda each: each.feedback)
        return None if squad is None else commands.WithdrawFeedback(squad_id=squad.id, feedback_id=squad.feedback.pop())

    def _record_usage(self) -> commands.Command | None:
        squad, choice = self._with(lambda _: True), self._chance.choice
        return (
            None
            if squad is None
            else commands.RecordUsage(
                squad_id=squad.id, metric=choice(METRICS), month=choice(MONTHS), amount=self._chance.randint(1, 1_000)
            )
        )

    def _set_usage_limit(self) -> commands.Command | None:
        squad, choice = self._with(lambda _: True), self._chance.choice
        return (
            None
            if squad is None
            else commands.SetUsageLimit(
                squad_id=squad.id, metric=choice(METRICS), month=choice(MONTHS), limit=self._chance.randrange(10**9)
            )
        )

    def _with(self, fits: Callable[[PicturedSquad], object]) -> PicturedSquad | None:
        return self._picture.find(self._picture.squads, fits)

    def _task(self, fits: Callable[[PicturedTask], bool]) -> tuple[PicturedSquad, PicturedTask] | None:
        squad = self._with(lambda each: any(map(fits, each.tasks)))
        return None if squad is None else (squad, self._chance.choice([task for task in squad.tasks if fits(task)]))

"""How the demo tells a person what happens: steps, progress, a message now and then, and the summary."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from app.lines import as_line
from app.topic_logs import KafkaRecord


class RateColumn(ProgressColumn):
    """Records per second since the start."""

    def render(self, task: Task) -> Text:
        """Give the column's text."""
        rate = task.completed / task.elapsed if task.elapsed else 0
        return Text(f"{rate:,.0f}/s", style="cyan")


class Report:
    """Tells how the demonstration goes.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = monotonic()
        self._progress: Progress | None = None
        self._sent = TaskID(0)
        self._decided = TaskID(0)

    def step(self, text: str) -> None:
        """Tell what happens next."""
        self.console.print(f"[dim]{monotonic() - self._began:6.1f} s[/dim]  {text}", highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, commands: int) -> Iterator[None]:
        """Show two bars while the commands go through."""
        columns = TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), RateColumn()
        with Progress(*columns, console=self.console) as self._progress:
            self._sent = self._progress.add_task("sent", total=commands)
            self._decided = self._progress.add_task("decided", total=commands)
            yield
        self._progress = None

    def sent(self, count: int) -> None:
        """Move the bar of what was sent."""
        if self._progress is not None:
            self._progress.update(self._sent, completed=count)

    def decided(self, count: int) -> None:
        """Move the bar of what was decided."""
        if self._progress is not None:
            self._progress.update(self._decided, completed=count)

    def show(self, record: KafkaRecord) -> None:
        """Show a message as it came, on one line."""
        topic = record.topic.rpartition(".")[2].removesuffix("s")
        line = Text(f"{topic:>8}  {as_line(record)}", style="green" if topic == "event" else "blue")
        line.truncate(max(40, self.console.width - 1), overflow="ellipsis")
        self.console.print(line)

"""What is raised within a batch's transaction to have a partition stopped, when nothing is wrong with any record."""

from collections.abc import Collection

from domain.values import Id


class HaltError(Exception):
    """A record may not be applied as things are; what comes before it may.

    Args:
        why: for the operator, without anything that a record says.
        awaits: the streams in which so much waits already; with room in them the partition goes on by itself. None:
            somebody has to let it.
    """

    def __init__(self, why: str, *, awaits: Collection[Id] = ()) -> None:
        super().__init__(why)
        self.awaits = awaits

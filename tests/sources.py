"""What stands for the source where batches are made by hand."""

from collections.abc import Collection

from consumers.records import Batch, Partition
from domain.values import Id


class Readers:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.current = True
        self.again: list[Batch] = []
        self.stopped: dict[Partition, str] = {}
        self.awaits: Collection[Id] = ()

    def is_current(self, batch: Batch) -> bool:
        return self.current

    def read_again(self, batch: Batch) -> None:
        self.again.append(batch)

    def stop_partition(self, partition: Partition, why: str, next_offset: int, awaits: Collection[Id] = ()) -> None:
        self.stopped[partition], self.awaits = why, awaits


class NobodyElse(Readers):
    """Notes what is stopped; nobody else reads its partitions."""

    def read_again(self, batch: Batch) -> None:
        raise AssertionError("nobody else is there")


class Alone(NobodyElse):
    """Nobody else reads its partitions, and nothing is to stop them."""

    def stop_partition(self, partition: Partition, why: str, next_offset: int, awaits: Collection[Id] = ()) -> None:
        raise AssertionError(why)

"""What stands for the source where batches are made by hand."""

from consumers.records import Batch, Partition


class Readers:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.current = True
        self.again: list[Batch] = []
        self.stopped: dict[Partition, str] = {}

    def is_current(self, batch: Batch) -> bool:
        return self.current

    def read_again(self, batch: Batch) -> None:
        self.again.append(batch)

    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None:
        self.stopped[partition] = why


class NobodyElse(Readers):
    """Notes what is stopped; nobody else reads its partitions."""

    def read_again(self, batch: Batch) -> None:
        raise AssertionError("nobody else is there")


class Alone(NobodyElse):
    """Nobody else reads its partitions, and nothing is to stop them."""

    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None:
        raise AssertionError(why)

"""What is raised within a batch's transaction to have a partition stopped, when nothing is wrong with any record."""


class HaltError(Exception):
    """A record may not be applied as things are; what comes before it may.

    Args:
        why: for the operator, without anything that a record says.
    """

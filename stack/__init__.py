"""Finds or starts PostgreSQL and Kafka, for the demo, the tests and the benchmarks."""

from stack.choice import Choice, choose
from stack.errors import StackError
from stack.starting import Stack, find, start, stop

__all__ = ["Choice", "Stack", "StackError", "choose", "find", "start", "stop"]

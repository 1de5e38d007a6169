"""The stack's life: found or started, used, ended."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self, assert_never

from stack.choice import Choice, choose

"""Checks the domain's tables: built again from the events alone, they are the same."""

import json
from collections.abc import Iterator
from dataclasses import fields

from checker.case import Case
from checker.evidence import State
from checker.faults import Fault, Invariant
from checker.rebuilt import Data, Rebuilt, read_time
from checker.retelling import RETELL


def check_state(case: Case) -> Iterator[Fault]:
    """Every row that the events tell is in its table, in every column that they carry, and no other row is.

    Of streams that wait for Kafka nothing can be said.
    """
    rebuilt = Rebuilt()
    for record in case.events.first.values():
        if (record.key or b"").decode(errors="replace") in case.incomplete:
            continue
        retell = RETELL.get(record.header("ce_type") or "")
        if retell is not None:
            try:
                rebuilt.now = read_time(record.header("ce_time") or "")
                retell(rebuilt, json.loads(record.value or b""))
            except (KeyError, ValueError) as error:
                yield Fault(Invariant.STATE_REBUILT, f"the event at {record.place} does not fit: {error!r}")
    for table in fields(State):
        told, stored = getattr(rebuilt, table.name), getattr(case.tables.state, table.name)
        for row_id in told.keys() | stored.keys():
            if told.get(row_id) != stored.get(row_id) and not _is_of(case.incomplete, row_id, stored.get(row_id)):
                differing = f"{told.get(row_id)} by the events, {stored.get(row_id)} by the table"
                yield Fault(Invariant.STATE_REBUILT, f"{table.name} {row_id}: {differing}")


def _is_of(streams: set[str], row_id: str, row: Data | None) -> bool:
    """Tell whether a row belongs to one of these streams."""
    return row_id in streams or (row is not None and row.get("squad_id") in streams)


def find_unknown_types(case: Case) -> set[str]:
    """Give the types of events that are not known here, so that the tables cannot be built again."""
    return {record.header("ce_type") or "(none)" for record in case.events.first.values()} - RETELL.keys()


CHECKS = (check_state,)

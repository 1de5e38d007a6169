"""Who keeps the processors busy: this process, PostgreSQL, the broker, as the operating system counts it."""

import psutil

NAMES = {"postgres": "PostgreSQL", "java": "broker"}


def spent_seconds() -> dict[str, float]:
    """Give the processor seconds spent so far, by whom; of servers on this machine only."""
    own = psutil.Process().cpu_times()
    spent = {"consumer": own.user + own.system} | dict.fromkeys(NAMES.values(), 0.0)
    for process in psutil.process_iter(["name", "cpu_times"]):
        who, times = NAMES.get(process.info["name"]), process.info["cpu_times"]
        if who is not None and times is not None:
            spent[who] += times.user + times.system
    return spent


def microseconds_per(number: int, before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Give what was spent between two moments, in microseconds for each of `number` things done."""
    return {who: (after[who] - before[who]) / number * 1e6 for who in before}

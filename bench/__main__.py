"""`python -m bench`: the whole way; `python -m bench --list`: every benchmark there is."""

import sys

from bench import program, programs, way


def menu() -> str:
    """Give every benchmark: how it is started, and what it measures."""
    width = max(len(each.module) for each in programs.PROGRAMS)
    return "\n".join(f"python -m {each.module:<{width}}  {each.summary}" for each in programs.PROGRAMS)


if __name__ == "__main__":
    if "--list" in sys.argv[1:]:
        print(menu())
        print(f"python -m {'bench.all':<{max(len(each.module) for each in programs.PROGRAMS)}}  All of them in turn.")
    else:
        program.main(way.PROGRAM)

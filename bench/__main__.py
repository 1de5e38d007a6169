"""`python -m bench`: the whole way; `--list` shows every benchmark, and a name, such as `idle`, runs that one."""

import sys

from bench import program, programs, way


def menu() -> str:
    """Give every benchmark: how it is started, and what it measures."""
    lines = {each.module: each.summary for each in programs.PROGRAMS} | {
        "bench.all": "All of them, one after the other."
    }
    width = max(map(len, lines))
    return "\n".join(f"python -m {module:<{width}}  {summary}" for module, summary in lines.items())


def main() -> None:
    """Run what is asked for."""
    named = {each.name: each for each in programs.PROGRAMS}
    if "--list" in sys.argv[1:]:
        print(menu())
    elif sys.argv[1:] and sys.argv[1] in named:
        program.main(named[sys.argv.pop(1)])
    else:
        program.main(way.PROGRAM)


if __name__ == "__main__":
    main()

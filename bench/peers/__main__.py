"""`python -m bench.peers`: FastStream applies commands; txoutbox and faststream-outbox relay events."""

from bench.peers.contest import PROGRAM
from bench.program import main

if __name__ == "__main__":
    main(PROGRAM)

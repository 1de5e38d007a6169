"""`python -m app.demo.child …` is `squad …` that also ends, as on SIGTERM, when whoever started it is gone.

Its standard input is a pipe that the starter never writes to. However the starter dies, the pipe ends with it.
"""

import os
import signal
import threading

from app.cli.main import main


def _end_with_starter() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_starter, daemon=True).start()
    main()

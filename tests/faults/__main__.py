"""`python -m tests.faults`: the long tier of the fault runs and the short one, their results, and the page of them."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.recording import RESULTS, ROOT, Recorder


def main() -> int:
    """Run the tier, or a part of it; the results of the other tests then stay."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", help="names of tests, as pytest's -k takes them; default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    parser.add_argument("--list", action="store_true", help="say what there is and how long it takes, and run nothing")
    arguments = parser.parse_args()
    path = None if arguments.list else arguments.output
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    options = ["-m", "long_faults or not long_faults", "-q", "-p", "no:cacheprovider"]
    if arguments.only is not None:
        options += ["-k", arguments.only]
    if arguments.list:
        options.append("--collect-only")
    code = pytest.main(options, [Recorder(path=path, before=before, is_part=arguments.only is not None)])
    if path == RESULTS:
        subprocess.run([sys.executable, "-m", "docs.generate"], check=True, cwd=ROOT)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())

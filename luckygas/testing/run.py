"""`make run`: the site with a day of demo orders, and the sandbox, which shows what its SMS look like."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from luckygas.testing.sandbox.process import with_sandbox
from luckygas.testing.serve import run
from luckygas.testing.servers import Unavailable
from luckygas.testing.site import ROOT

PREPARATIONS = (("migrate", "--verbosity", "0"), ("demo",))


def main() -> None:
    parser = argparse.ArgumentParser(prog="luckygas.testing.run")
    parser.add_argument("--address", default="127.0.0.1:8000")
    address = parser.parse_args().address
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        environment = dict(os.environ)
        # First, so that the day that the demo plays is on the telephones too.
        with_sandbox(stack, environment, address)
        # A line for each SMS of that day would hide the names and passwords.
        quiet = {"LOG_LEVEL": "WARNING"} | environment
        for command in PREPARATIONS:
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=quiet, check=True)
        sender = ["manage.py", "send_pending_sms", "--loop"]
        run([["manage.py", "runserver", "--noreload", address], sender], environment)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
    except subprocess.CalledProcessError as error:
        # It has said itself what is wrong.
        sys.exit(error.returncode)
    except Unavailable as error:
        sys.exit(str(error))

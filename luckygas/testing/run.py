"""`make run`: the site with demo orders, and the SMS sandbox (unless SMS_GATEWAY names a provider)."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from luckygas.testing.sandbox.process import with_sandbox
from luckygas.testing.serve import manage, run, welcome
from luckygas.testing.servers import Unavailable


def main() -> None:
    parser = argparse.ArgumentParser(prog="luckygas.testing.run")
    parser.add_argument("--address", default="127.0.0.1:8000")
    address = parser.parse_args().address
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        # Log lines for each request and SMS would scroll the addresses and passwords off the screen.
        environment = {"LOG_LEVEL": "WARNING"} | os.environ
        # The sandbox starts before the demo is created, so that it receives the SMS of the demo's orders.
        sandbox = with_sandbox(stack, environment, address)
        manage(environment, "migrate", "--verbosity", "0")
        text = welcome(address, sandbox, manage(environment, "demo"))
        sender = ["manage.py", "send_pending_sms", "--loop"]
        run([["manage.py", "runserver", "--noreload", address], sender], environment, address, text)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
    except subprocess.CalledProcessError as error:
        # The command has printed the error itself.
        sys.exit(error.returncode)
    except Unavailable as error:
        sys.exit(str(error))

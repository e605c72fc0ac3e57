"""Runs the load client, a C program that is compiled on first use, and reads its counts."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from luckygas.testing.servers import Server, Unavailable

HERE = Path(__file__).resolve().parent
BUILD = HERE / ".build"


def compile_program(source: Path) -> Path:
    """Returns the program of a C file. Compiles it first if it is missing or older than the file or a header."""
    program = BUILD / source.stem
    newest = max(file.stat().st_mtime for file in [source, *source.parent.glob("*.h")])
    if not program.exists() or program.stat().st_mtime < newest:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Unavailable("No C compiler: install gcc (the load client is a C program, to be cheap).")
        BUILD.mkdir(exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return program


class NotOpened(RuntimeError):
    """The server did not accept all sockets, or is not installed."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since the last reset. `received` counts events; `min_received` and `max_received` are per socket.

    Not reset: `open_now`, `started` (the time to open all sockets, in ns), `close_code` (the last one), `cpu_seconds`.
    """

    open_now: int
    closed: int
    failures: int
    reconnects: int
    frames: int
    bytes: int
    reads: int
    received: int
    min_received: int
    max_received: int
    duplicates: int
    unrecovered: int
    last_ns: int
    started: int
    close_code: int
    p50_us: float
    p99_us: float
    max_us: float
    cpu_seconds: float


class Load:
    """The load client (`client/load.c`, a process of its own): it opens one socket per path, all to the same server.

    Leaving the context ends the process, which closes the sockets.
    """

    def __init__(self, server: Server, paths: Sequence[str], *options: str) -> None:
        self._paths = tempfile.NamedTemporaryFile("w", prefix="luckygas-", suffix=".paths")  # noqa: SIM115  (the client reads it later)
        self._paths.write("".join(f"{path}\n" for path in paths))
        self._paths.flush()
        self._sockets = len(paths)
        arguments = ["-p", str(server.port), "-n", str(len(paths)), "-f", self._paths.name]
        program = str(compile_program(HERE / "client/load.c"))
        self.process = subprocess.Popen(
            [program, *arguments, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Load:
        self.ready = self._read_counts()
        if self.ready.open_now < self._sockets:
            self.__exit__(None, None, None)
            raise NotOpened(f"only {self.ready.open_now} of {self._sockets} sockets could be opened")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()
        self._paths.close()

    def command(self, command: str) -> Counts:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._read_counts()

    def reset(self) -> Counts:
        return self.command("reset")

    def wait(self, events: int, quiet: float = 3.0, timeout: float = 60.0) -> Counts:
        """Waits until all `events` were received, none came for `quiet` seconds, or `timeout` seconds have passed."""
        return self.command(f"wait {events} {quiet * 1000:.0f} {timeout * 1000:.0f}")

    def _read_counts(self) -> Counts:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The load client ended with {self.process.wait()}.")
        return Counts(**json.loads(line))

"""Describes the machine of a run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    "Django", "channels", "channels-redis", "daphne", "uvicorn", "uvloop", "fastapi", "python-socketio", "redis",
    "psycopg",
)  # fmt: skip


def describe() -> dict[str, str]:
    """Returns facts by name. `load` is the load average at the start."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} × {_line('/proc/cpuinfo', 'model name')}, {_memory()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
    }
    facts |= {name: version(name) for name in LIBRARIES}
    return facts | {"Node": _says("node", "--version"), "nginx": _says("nginx", "-v"), "C": _says("cc", "-dumpversion")}


def _line(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _memory() -> str:
    return f"{int(_line('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB"


def _says(program: str, option: str) -> str:
    if (found := shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        return "not installed"
    done = subprocess.run([found, option], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().rpartition("/")[2]

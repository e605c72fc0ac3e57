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
    return facts | {
        "Node": _version_of("node", "--version"),
        "nginx": _version_of("nginx", "-v"),
        "C": _version_of("cc", "-dumpversion"),
    }


def _line(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _memory() -> str:
    return f"{int(_line('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB"


def _version_of(program: str, option: str) -> str:
    if (found := shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        return "not installed"
    result = subprocess.run([found, option], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).strip().rpartition("/")[2]

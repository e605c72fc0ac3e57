from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from luckygas.testing.site import ROOT
from web.metrics import processes

PROGRAM = """
import sys
from pathlib import Path
from web.metrics import share
share(Path(sys.argv[1]))
from prometheus_client import Counter
Counter("seen", "x").inc(int(sys.argv[2]))
print("counted", flush=True)
sys.stdin.read()
"""


def start(directory: Path, number: int) -> subprocess.Popen[str]:
    """A process that has counted so many, and lives on."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), str(number)],
        cwd=ROOT, env={"PROMETHEUS_MULTIPROC_DIR": str(directory)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def total(directory: Path) -> float | None:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return registry.get_sample_value("seen_total")


def test_what_a_killed_process_counted_stays_and_its_place_is_taken_again(tmp_path: Path, settings: Any) -> None:
    directory = tmp_path / "made" / "when-missing"
    settings.PROMETHEUS_MULTIPROC_DIR = str(directory)
    first, second = start(directory, 1), start(directory, 10)
    assert (total(directory), len(list(directory.glob("*.db"))), processes()) == (11, 2, 2)
    kill(first)
    assert processes() == 1
    third = start(directory, 100)
    assert (total(directory), len(list(directory.glob("*.db"))), processes()) == (111, 2, 2)
    kill(second)
    kill(third)
    assert (total(directory), processes()) == (111, 0)

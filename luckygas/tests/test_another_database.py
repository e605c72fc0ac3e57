"""Replaces the database by another one. A client that would miss an event must not get `recovered: true`.

The tests use a real standby, dumps and copies of the data directory, while the servers go on running.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from asgiref.sync import sync_to_async as make

from luckygas.testing.servers import KILLABLE, Postgres
from luckygas.testing.site import ROOT, Site, environment, manage
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests.faults import WRITER
from realtime.tests.client import open_client

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(240)]


class Office:
    """Two servers on their own PostgreSQL, and a clerk (with `token`) who publishes events."""

    def __init__(self, token: str = "") -> None:
        self.postgres = Postgres(KILLABLE)
        self.copy: Postgres | None = None
        self.token = token
        self.sites: list[Site] = []

    def prepare(self) -> None:
        """Creates the tables and the clerk, then stops PostgreSQL so that each test can copy its data directory."""
        self.postgres.start()
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE gas")
        variables = {"DATABASE_URL": self.url}
        manage("migrate", "--verbosity", "0", **variables)
        prepared = subprocess.run(
            [*WRITER, "prepare", "1"], cwd=ROOT, env=environment(**variables), check=True, capture_output=True
        )
        self.token = json.loads(prepared.stdout)["offices"][0]
        self.postgres.kill(signal.SIGINT)

    def start(self) -> None:
        self.postgres.start()
        self.sites = [Site("uvicorn", DATABASE_URL=self.url) for _ in range(2)]
        for site in self.sites:
            site.launch()
        for site in self.sites:
            site.wait()

    @property
    def url(self) -> str:
        return self.postgres.url.removesuffix("postgres") + "gas"

    def stop(self) -> None:
        for site in self.sites:
            print(site.log.read_text(errors="replace")[-3000:])
        for server in [*self.sites, *filter(None, [self.copy]), self.postgres]:
            server.stop()

    def publish(self, *numbers: int) -> None:
        """Publishes one event per number. Retries while the site answers 503."""
        for number in numbers:
            wait_for(partial(self._try_publish, number))

    def _try_publish(self, number: int) -> bool:
        body = {"type": "custom.number", "channel": "staff", "data": {"number": number}}
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.post(
            f"{self.sites[0].url}/api/v1/events/", json=body, headers=headers, timeout=PATIENCE_SECONDS
        )
        assert answer.status_code in (201, 503), answer.text
        return answer.status_code == 201

    def tool(self, name: str, *arguments: str) -> None:
        assert self.postgres.bin is not None
        command = [str(self.postgres.bin / name), *arguments]
        user = self.postgres.user()

        def done() -> bool:
            ran = subprocess.run(
                command, capture_output=True, text=True, check=False, user=user, cwd="/", timeout=PATIENCE_SECONDS
            )
            assert ran.returncode == 0 or "deadlock" in ran.stderr, ran.stderr
            return ran.returncode == 0

        # Retries after a deadlock, because the servers read the tables at the same time.
        wait_for(done)

    # --- replacements of the database -------------------------------------------------------------------------------

    def copy_data(self, *options: str) -> None:
        """Copies the data directory of the running server (pg_basebackup)."""
        self.copy = Postgres(KILLABLE)
        os.chmod(self.copy.directory, 0o777)
        where = ["-D", str(self.copy.data), "-h", "127.0.0.1", "-p", str(self.postgres.port), "-U", "postgres"]
        self.tool("pg_basebackup", *where, "--checkpoint=fast", *options)

    def catch_up(self) -> None:
        """Runs the standby until it has caught up, then stops it."""
        assert self.copy is not None
        self.copy.start()
        with psycopg.connect(self.postgres.url) as database:
            (end,) = database.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
        with psycopg.connect(self.copy.url, autocommit=True) as standby:
            replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_for(lambda: (standby.execute(replayed, [end]).fetchone() or (False,))[0])
        self.copy.kill(signal.SIGINT)

    def take_over(self, *, promote: bool) -> None:
        """Kills PostgreSQL and starts the copy on its port. `promote`: makes a standby the primary."""
        assert self.copy is not None
        self.postgres.kill(signal.SIGQUIT)
        self.copy.port, self.copy.bin = self.postgres.port, self.postgres.bin
        self.copy.start()
        if promote:
            with psycopg.connect(self.copy.url, autocommit=True) as standby:
                standby.execute("SELECT pg_promote()")

    def file(self, name: str) -> Path:
        """Creates a file that the user of PostgreSQL's tools may write."""
        file = self.postgres.directory / name
        file.touch()
        os.chmod(file, 0o666)
        return file

    def dump(self) -> Path:
        file = self.file("dump")
        self.tool("pg_dump", "--format=custom", f"--file={file}", self.url)
        return file

    def restart_servers(self) -> None:
        for site in self.sites:
            site.kill()
            site.start()


def standby_with_a_lag(office: Office) -> Iterator[None]:
    office.copy_data("--write-recovery-conf")
    yield
    office.take_over(promote=True)


def standby_without_a_lag(office: Office) -> Iterator[None]:
    office.copy_data("--write-recovery-conf")
    yield
    office.catch_up()
    office.take_over(promote=True)


def copied_directory(office: Office) -> Iterator[None]:
    office.copy_data()
    yield
    office.take_over(promote=False)


def copied_directory_under_new_servers(office: Office) -> Iterator[None]:
    """Restarts the servers too, so that no process remembers the last event id."""
    yield from copied_directory(office)
    office.restart_servers()


def dump_over_the_tables(office: Office) -> Iterator[None]:
    dump = office.dump()
    yield
    office.tool("pg_restore", "--clean", "--single-transaction", f"--dbname={office.url}", str(dump))


def dump_in_a_new_database(office: Office) -> Iterator[None]:
    """Restores in one transaction, as `deploy/restore` does. Otherwise servers would write into tables without rows."""
    dump = office.dump()
    yield
    with psycopg.connect(office.postgres.url, autocommit=True) as admin:
        admin.execute("DROP DATABASE gas WITH (FORCE)")
        admin.execute("CREATE DATABASE gas")
    office.tool("pg_restore", "--single-transaction", f"--dbname={office.url}", str(dump))


def dump_of_the_rows_alone(office: Office) -> Iterator[None]:
    """Restores only the rows, in one transaction. Only a server that had read later events can notice this."""
    dump = office.dump()
    yield
    with psycopg.connect(office.url) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    rows = office.file("rows")
    office.tool("pg_restore", "--data-only", "--disable-triggers", f"--file={rows}", str(dump))
    truncate = f"TRUNCATE {', '.join(name for (name,) in tables)}"
    options = ("--single-transaction", "--set=ON_ERROR_STOP=1", "--quiet", "--no-psqlrc", f"--dbname={office.url}")
    office.tool("psql", *options, f"--command={truncate}", f"--file={rows}")


@pytest.fixture(scope="module")
def prepared() -> Iterator[Office]:
    office = Office()
    try:
        office.prepare()
        yield office
    finally:
        office.stop()


@pytest.fixture
def office(prepared: Office) -> Iterator[Office]:
    office = Office(prepared.token)
    try:
        subprocess.run(["cp", "-a", str(prepared.postgres.data), str(office.postgres.data)], check=True)
        office.start()
        yield office
    finally:
        office.stop()


def received_numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["data"]["number"] for frame in frames if frame["type"] == "custom.number"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (standby_with_a_lag, [True, False]), (standby_without_a_lag, [True, True]),
        (copied_directory, [True, False]), (copied_directory_under_new_servers, [True, False]),
        (dump_over_the_tables, [True, False]), (dump_in_a_new_database, [True, False]),
        (dump_of_the_rows_alone, [False, False]),
    ],
)  # fmt: skip
async def test_client_of_a_replaced_database_resumes_only_if_it_misses_no_event(
    office: Office, change: Callable[[Office], Iterator[None]], expected: list[bool]
) -> None:
    """`expected`: whether two clients resume.

    The first client's last event was published before the copy or dump was made, the second client's after it.
    """
    first_url, second_url = (f"{site.ws}/office?token={office.token}" for site in office.sites)
    async with open_client(first_url) as client, open_client(second_url) as other:
        first = client.welcome
        await make(office.publish)(1, 2)
        shared = [await client.until("custom.number") for _ in range(2)]
        changing = change(office)
        await make(lambda: next(changing))()
        await make(office.publish)(3, 4, 5)
        lost = [await client.until("custom.number") for _ in range(3)]
        assert received_numbers([await other.until("custom.number") for _ in range(5)]) == [1, 2, 3, 4, 5]
        await make(lambda: list(changing))()
        await make(office.publish)(6, 7, 8, 9)
        assert {await client.closed(), await other.closed()} <= {1012, 1006}  # 1006: its server was killed
    later = [6, 7, 8, 9]
    for event, resumes, before in ((shared[0], expected[0], [2]), (lost[2], expected[1], [])):
        for url in (first_url, second_url):
            cursor = f"{url}&since={event['id']}&epoch={first['epoch']}"
            async with open_client(cursor) as client:
                assert client.welcome["recovered"] is resumes, (change, event)
                assert client.welcome["epoch"] != first["epoch"]
                missed = received_numbers(await client.everything())
                survived = [3, 4, 5] if expected[1] and before else []
                assert missed == (before + survived + later if resumes else [])
        query = {"since": event["id"], "epoch": first["epoch"], "channel": "staff"}
        headers = {"Authorization": f"Bearer {office.token}"}
        answer = requests.get(f"{office.sites[1].url}/api/v1/events/", query, headers=headers, timeout=PATIENCE_SECONDS)  # noqa: ASYNC210
        assert answer.status_code == (200 if resumes else 410)


async def test_restart_of_postgresql_closes_no_socket(office: Office) -> None:
    url = f"{office.sites[0].ws}/office?token={office.token}"
    async with open_client(url) as client:
        await make(office.publish)(1)
        await client.until("custom.number")
        await make(office.postgres.kill)(signal.SIGQUIT)
        await make(office.postgres.start)()
        await make(office.publish)(2, 3)
        assert received_numbers([await client.until("custom.number") for _ in range(2)]) == [2, 3]

"""`deploy/backup` and `deploy/restore` with PostgreSQL's tools: the content, and the behaviour of a restored site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async as make
from psycopg import sql

from luckygas.testing.servers import Postgres, running
from luckygas.testing.site import ROOT, Site, database_url
from luckygas.testing.waiting import PATIENCE_SECONDS
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from notifications.tests.factories import make_message
from orders.states import OrderStatus
from orders.tests.factories import make_office, make_order
from realtime import log
from realtime.tests.client import open_client, token_for

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
# Tables that `deploy/restore` may change after loading the backup, with `migrate` and `after_restore`.
CHANGED_TABLES = {
    "realtime_loghead", "realtime_outbox", "notification_history", "notifications_statusnote", "django_migrations",
}  # fmt: skip
OLD_SECONDS = 20 * 24 * 3600
# With these capabilities root may read every file. The test drops them.
DROPPED_CAPABILITIES = "-dac_override,-dac_read_search"


class BackupScripts:
    """Runs `deploy/backup` and `deploy/restore` of a release that is installed in `home`."""

    def __init__(self, home: Path, tools: Path) -> None:
        self.path = f"{tools}:{os.environ['PATH']}"
        self.home, self.backups, self.media = home, home / "backups", home / "media"
        self.media.mkdir()
        shutil.copytree(ROOT / "deploy", home / "release/deploy")
        (home / "release/.venv").symlink_to(sys.prefix)
        (home / "release/manage.py").symlink_to(ROOT / "manage.py")

    def run(self, script: str, argument: Path, url: str, media: Path | None = None) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": self.path, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
        variables["MEDIA_ROOT"] = str(media or self.media)
        command = [str(self.home / "release/deploy" / script), str(argument)]
        # The script runs several programs. On a busy machine each may take half a minute.
        limit = 2 * PATIENCE_SECONDS
        return subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, timeout=limit, check=False
        )

    def backup(self) -> Path:
        done = self.run("backup", self.backups, database_url())
        assert done.returncode == 0, done.stderr
        return (self.backups / "latest").resolve()

    def restore(self, backup: Path, url: str) -> None:
        done = self.run("restore", backup, url, self.home / "restored")
        # A running site and the restore may wait for each other's locks. If PostgreSQL ends the restore, repeat it.
        while "deadlock detected" in done.stderr:
            done = self.run("restore", backup, url, self.home / "restored")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def scripts(tmp_path: Path, transactional_db: None) -> Iterator[BackupScripts]:
    postgres = Postgres()
    yield BackupScripts(tmp_path, postgres.binaries())
    postgres.stop()


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The URL of an empty database on the test's server."""
    server, _, _name = database_url().rpartition("/")
    name = sql.Identifier(f"restored_{os.getpid()}")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield f"{server}/restored_{os.getpid()}"
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def contents(url: str) -> dict[str, Any]:
    """Returns the number of rows and a hash of them for each table."""
    with psycopg.connect(url) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        query = sql.SQL("SELECT count(*), md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {} r")
        return {name: database.execute(query.format(sql.Identifier(name))).fetchone() for (name,) in names}


def test_restored_database_is_complete_and_sends_nothing_twice(scripts: BackupScripts, empty_database: str) -> None:
    order = make_order()
    order.transition_to(OrderStatus.CONFIRMED)
    due = make_message()
    log.assign_event_ids()
    (scripts.media / "proof").mkdir()
    (scripts.media / "proof/signature.jpg").write_bytes(b"signed")
    scripts.restore(scripts.backup(), empty_database)
    before, after = contents(database_url()), contents(empty_database)
    assert before.keys() == after.keys()
    assert len(before) > 30
    assert {name for name in before if before[name] != after[name]} <= CHANGED_TABLES
    assert (scripts.home / "restored/proof/signature.jpg").read_bytes() == b"signed"
    with psycopg.connect(empty_database) as database:
        found = database.execute("SELECT status, status_reason FROM notification_history WHERE id = %s", [due.pk])
        assert found.fetchone() == ("unknown", "interrupted")
    assert NotificationHistory.objects.get(pk=due.pk).status == MessageStatus.PENDING


async def test_restore_closes_sockets_and_clients_cannot_resume(scripts: BackupScripts, empty_database: str) -> None:
    """Restores while a server runs. Its hub notices that the log has changed and closes the sockets."""
    token = await make(lambda: token_for(make_office()))()
    await make(make_order)()
    await make(log.assign_event_ids)()
    backup = await make(scripts.backup)()
    await make(scripts.restore)(backup, empty_database)
    with running(Site("uvicorn", DATABASE_URL=empty_database)) as site:
        url = f"{site.ws}/office?token={token}"
        async with open_client(url) as client:
            first = client.welcome
            await make(scripts.restore)(backup, empty_database)
            assert await client.closed() == 1012
        async with open_client(f"{url}&since={first['last_event_id']}&epoch={first['epoch']}") as client:
            assert client.welcome["recovered"] is False
            assert client.welcome["epoch"] != first["epoch"]


def test_broken_backup_changes_nothing(scripts: BackupScripts, empty_database: str) -> None:
    make_order()
    backup = scripts.backup()
    scripts.restore(backup, empty_database)
    before = contents(empty_database)
    dump = (backup / "database").read_bytes()
    (backup / "database").write_bytes(dump[: len(dump) * 2 // 3])
    assert scripts.run("restore", backup, empty_database).returncode != 0
    assert contents(empty_database) == before


def test_missing_backup_is_reported(scripts: BackupScripts, empty_database: str) -> None:
    done = scripts.run("restore", scripts.home / "absent", empty_database)
    assert (done.returncode, done.stderr) == (2, f"{scripts.home}/absent holds no backup.\n")


@pytest.mark.parametrize("unreadable", ["", "/database"])
def test_unreadable_backup_is_reported(tmp_path: Path, unreadable: str) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup/database").write_bytes(b"dump")
    Path(f"{tmp_path}/backup{unreadable}").chmod(0)
    unprivileged = ["setpriv", f"--bounding-set={DROPPED_CAPABILITIES}", f"--inh-caps={DROPPED_CAPABILITIES}"]
    command = [*(unprivileged if os.geteuid() == 0 else []), str(ROOT / "deploy/restore"), str(tmp_path / "backup")]
    variables = os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    (tmp_path / "backup").chmod(0o700)
    assert done.returncode == 2
    assert done.stderr.endswith(f" may not read {tmp_path}/backup{unreadable}.\n")


def test_photos_are_stored_once_and_old_backups_deleted(scripts: BackupScripts) -> None:
    (scripts.media / "photo.jpg").write_bytes(b"gas")
    first = scripts.backup()
    old = time.time() - OLD_SECONDS
    (scripts.backups / "2026-01-01T030000Z").mkdir()
    os.utime(scripts.backups / "2026-01-01T030000Z", (old, old))
    while f"{time.strftime('%H%M%S', time.gmtime())}Z" in first.name:
        time.sleep(0.05)
    second = scripts.backup()
    assert (second / "media/photo.jpg").samefile(first / "media/photo.jpg")
    assert {path.name for path in scripts.backups.iterdir()} == {first.name, second.name, "latest"}
    assert (first.stat().st_mode & 0o077, (first / "database").stat().st_mode & 0o077) == (0, 0)


def test_fast_clock_deletes_at_most_two_backups(scripts: BackupScripts) -> None:
    """When the clock jumps ahead, all backups look old, as these do."""
    for night in range(10, 24):
        directory = scripts.backups / f"2026-11-{night}T030000Z"
        directory.mkdir(parents=True)
        os.utime(directory, (time.time() - OLD_SECONDS + night,) * 2)
    newest = scripts.backup()
    names = {path.name for path in scripts.backups.iterdir()}
    assert names == {f"2026-11-{night}T030000Z" for night in range(12, 24)} | {newest.name, "latest"}


def test_failed_backup_keeps_the_last_one(scripts: BackupScripts) -> None:
    good = scripts.backup()
    assert scripts.run("backup", scripts.backups, "postgres://nobody@127.0.0.1:1/none").returncode != 0
    assert (scripts.backups / "latest").resolve() == good

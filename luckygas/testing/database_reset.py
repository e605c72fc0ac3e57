"""Resets the database after a test that commits, a hundred times faster than Django.

On PostgreSQL Django truncates every table, which creates new files, and creates all permissions again. This module
deletes the few rows that a test leaves, and restores the rows of `post_migrate` from a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase

# Tables that `post_migrate` fills (content types and permissions), and the groups with their permissions.
COPIED = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")


@pytest.fixture(scope="session", autouse=True)
def _fast_reset() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_setup", classmethod(lambda cls: copy_rows()))
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: reset())
        yield


@cache
def copy_rows() -> None:
    """Copies the rows of `post_migrate`. Runs before the first test that commits."""
    with connection.cursor() as cursor:
        for table in COPIED:
            cursor.execute(f"CREATE TABLE made_{table} AS SELECT * FROM {table}")


def reset() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in reset_statements():
            cursor.execute(statement)


@cache
def reset_statements() -> list[str]:
    tables = sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))
    deletes = [f"DELETE FROM {table}" for table in tables]
    copies = [f"INSERT INTO {table} SELECT * FROM made_{table}" for table in COPIED]
    if connection.vendor == "sqlite":
        return [*deletes, *copies]
    # As a replica PostgreSQL checks no foreign keys, so the tables may be in any order. The lock waits for running
    # transactions, as TRUNCATE does.
    first = ["SET LOCAL session_replication_role = replica", f"LOCK TABLE {', '.join(tables)}"]
    return ["; ".join([*first, *deletes, *copies])]

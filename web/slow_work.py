"""Runs slow work one job at a time per process, or on its own threads, so that nothing else waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from threading import BoundedSemaphore, Lock
from typing import Generic, TypeVar

from django.db import connection
from django.utils.functional import Promise

# The Retry-After of a refused job.
RETRY_SECONDS = 5
# The maximum number of jobs of one kind that run or wait; further ones are refused.
MAX_AT_ONCE = 16
Job = TypeVar("Job")
Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Overloaded(Exception):
    """Too many jobs already run or wait; nothing was done. `detail` is for people."""

    def __init__(self, detail: str | Promise) -> None:
        super().__init__(detail)
        self.detail = detail


class OneAtATime:
    """Lets the jobs of one kind run one after another in this process. Use one instance for each kind.

    If too many jobs wait, `turn` raises Overloaded with the text `overloaded`.
    """

    def __init__(self, overloaded: str | Promise) -> None:
        self.overloaded = overloaded
        self.slots, self.lock = BoundedSemaphore(MAX_AT_ONCE), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Closes the database connection, waits for the lock and holds it during the block.

        Raises Overloaded if MAX_AT_ONCE jobs already run or wait. Inside a transaction the connection cannot be closed,
        so the block runs at once, without the lock.
        """
        if connection.in_atomic_block:
            yield
            return
        if not self.slots.acquire(blocking=False):
            raise Overloaded(self.overloaded)
        try:
            connection.close()
            with self.lock:
                yield
        finally:
            self.slots.release()


class ThreadPool(Generic[Job, Result]):
    """Calls `work` on each submitted job, on `size` threads named `name`-1, `name`-2, …

    A thread that finds the queue empty after a job calls `on_idle` before it resolves the job's future. Unlike those of
    `concurrent.futures`, the threads are daemons: the process exits without waiting for them.
    """

    def __init__(self, work: Callable[[Job], Result], on_idle: Callable[[], None], size: int, name: str) -> None:
        self._work, self._on_idle, self._size, self._name = work, on_idle, size, name
        self._waiting: SimpleQueue[tuple[Job, Future[Result]]] = SimpleQueue()
        self._unfinished: set[Future[Result]] = set()
        self._threads = 0
        self._lock = threading.Lock()

    def submit(self, job: Job) -> Future[Result]:
        """Returns the job's future. Its `cancel()` cancels a job that has not started."""
        future: Future[Result] = Future()
        with self._lock:
            self._unfinished.add(future)
            if self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._waiting.put((job, future))
        return future

    def drain(self, seconds: float) -> bool:
        """Waits until all jobs submitted so far are finished. False if some are not after `seconds`."""
        with self._lock:
            unfinished = list(self._unfinished)
        return not wait(unfinished, seconds).not_done

    def _run(self) -> None:
        while True:
            job, future = self._waiting.get()
            resolve = self._run_job(job, future)
            if self._waiting.empty():
                self._on_idle()
            with self._lock:
                self._unfinished.discard(future)
            resolve()

    def _run_job(self, job: Job, future: Future[Result]) -> Callable[[], None]:
        """Runs the job unless it was cancelled. Returns the function that resolves its future."""
        if not future.set_running_or_notify_cancel():
            return lambda: None
        try:
            return partial(future.set_result, self._work(job))
        except Exception as error:
            log.exception("The work on %s failed.", job)
            return partial(future.set_exception, error)

from __future__ import annotations

import threading
import time

import pytest

from web.slow_work import ThreadPool


def test_submit_returns_the_result() -> None:
    pool: ThreadPool[int, int] = ThreadPool(lambda n: n * 2, lambda: None, 3, "worker")
    assert [future.result(5) for future in [pool.submit(n) for n in range(10)]] == [n * 2 for n in range(10)]


def test_pool_runs_as_many_jobs_at_once_as_threads() -> None:
    barrier = threading.Barrier(3)
    pool: ThreadPool[int, int] = ThreadPool(lambda _: barrier.wait(5), lambda: None, 3, "worker")
    assert sorted(future.result(5) for future in [pool.submit(n) for n in range(3)]) == [0, 1, 2]


def test_error_reaches_the_caller_and_the_thread_continues(caplog: pytest.LogCaptureFixture) -> None:
    pool: ThreadPool[int, float] = ThreadPool(lambda n: 1 / n, lambda: None, 1, "worker")
    broken, fine = pool.submit(0), pool.submit(2)
    assert isinstance(broken.exception(5), ZeroDivisionError)
    assert fine.result(5) == 0.5
    assert "The work on 0 failed" in caplog.text


def test_drain_reports_whether_all_jobs_finished() -> None:
    go = threading.Event()
    pool: ThreadPool[int, bool] = ThreadPool(lambda _: go.wait(5), lambda: None, 1, "worker")
    pool.submit(1)
    assert not pool.drain(0.01)
    go.set()
    assert pool.drain(5)


def test_idle_thread_calls_on_idle_before_it_resolves() -> None:
    idle_threads: list[str] = []
    pool: ThreadPool[int, int] = ThreadPool(
        lambda n: n, lambda: idle_threads.append(threading.current_thread().name), 1, "worker"
    )
    assert pool.submit(1).result(5) == 1
    assert idle_threads == ["worker-1"]


def test_threads_are_daemons() -> None:
    pool: ThreadPool[int, None] = ThreadPool(lambda _: time.sleep(5), lambda: None, 1, "worker")
    pool.submit(1)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("worker-"))


def test_waiting_job_can_be_cancelled() -> None:
    started: list[int] = []
    go = threading.Event()

    def work(number: int) -> bool:
        started.append(number)
        return go.wait(5)

    pool: ThreadPool[int, bool] = ThreadPool(work, lambda: None, 1, "worker")
    first, second, third = (pool.submit(n) for n in range(3))
    while not started:
        time.sleep(0.01)
    assert (first.cancel(), second.cancel()) == (False, True)
    go.set()
    assert (first.result(5), third.result(5), started) == (True, True, [0, 2])
    assert pool.drain(5)

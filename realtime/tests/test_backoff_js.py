from __future__ import annotations

from realtime.tests.browser import PlayedServer

DELAYS = """async ([random, count]) => {
  const { Backoff } = await import("/static/web/backoff.js");
  Math.random = () => random;
  const backoff = new Backoff();
  const delays = Array.from({ length: count }, () => backoff.next());
  backoff.reset();
  return [...delays, backoff.next()];
}"""


async def test_delays_double_from_half_a_second_to_thirty_until_reset(server: PlayedServer) -> None:
    delays = await server.page.evaluate(DELAYS, [1, 9])
    assert delays == [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 500]


async def test_jitter_is_full(server: PlayedServer) -> None:
    assert await server.page.evaluate(DELAYS, [0, 3]) == [0, 0, 0, 0]
    assert await server.page.evaluate(DELAYS, [0.5, 2]) == [250, 500, 250]

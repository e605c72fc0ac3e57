/** The driver's queue of reports, and the moves of a stop. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { back, mayFail, onward } from "/static/pages/driver/moves.js";
import { Queue } from "/static/pages/driver/queue.js";
import { QueueStorage } from "/static/pages/driver/queue-storage.js";
import { setServerTime } from "/static/web/server-clock.js";
import { pass, settled } from "../../../web/tests/js/page.mjs";

describe("driver", () => {
  /** The disk, which may be full. */
  class Disk {
    rows = [];
    isFull = false;
    #number = 0;

    on() {}

    async all() {
      return [...this.rows];
    }

    async write(_name, work) {
      if (this.isFull) throw new DOMException("full", "QuotaExceededError");
      work({
        add: (entry) => this.rows.push({ ...entry, n: ++this.#number }),
        put: (entry) => {
          this.rows = [...this.rows.filter(({ n }) => n !== entry.n), entry];
        },
        delete: (gone) => {
          this.rows = this.rows.filter(({ n }) => n !== gone);
        },
      });
    }
  }

  let disk, queue, said, answers, told, signedIn;

  beforeEach(() => {
    // Without the server's clock the time of a report is unknown.
    setServerTime(Date.now(), 0);
    [disk, said, told, signedIn] = [new Disk(), [], [], 3];
    answers = () => Response.json({ status: "delivering", version: 2 });
    globalThis.fetch = async (url, { method, body }) => {
      if (url.pathname === "/api/v1/drivers/") return Response.json({ results: [{ id: signedIn }] });
      said.push([
        method,
        url.pathname.replace("/api/v1/orders/", ""),
        typeof body === "string" ? JSON.parse(body) : body,
      ]);
      return answers(url.pathname);
    };
    queue = new Queue(disk, { user: 1, driver: 3 });
    for (const name of ["done", "refused", "sign-in", "other-user"])
      queue.on(name, (value) => told.push([name, value]));
  });

  /** Sends everything, so that nothing is left for the next test. */
  afterEach(async () => {
    signedIn = 3;
    answers = () => Response.json({ version: 2 });
    await pass(31_000);
  });

  const START = { kind: "status", order: 7, number: "A7", to: "delivering", reason: "" };
  const refusal = (status, code) => () => Response.json({ errors: [{ code, detail: "No." }] }, { status });
  const paths = () => said.map(([, path]) => path);

  test("a report is stored, sent with its time and ref, and deleted once it is done", async () => {
    await queue.add(START);
    await settled();
    const [[method, path, { ref, at, status }]] = said;
    assert.deepEqual([method, path, status, at], ["PATCH", "7/status/", "delivering", new Date().toISOString()]);
    assert.equal(told[0][1].entry.ref, ref);
    assert.deepEqual([queue.entries, disk.rows], [[], []]);
  });

  test("reports wait while offline, and are sent in order with the same refs", async () => {
    answers = () => Promise.reject(new TypeError("no line"));
    await queue.add(START);
    await queue.add({ ...START, to: "arriving" });
    await settled();
    const first = said[0][2].ref;
    answers = () => Response.json({ version: 2 });
    await pass(2_000);
    const done = told.map(([, { entry }]) => entry.to);
    assert.deepEqual([done, said.at(-2)[2].ref], [["delivering", "arriving"], first]);
  });

  test("a report that hangs when the line is back is sent again as soon as the request fails", async () => {
    const { promise, reject } = Promise.withResolvers();
    answers = () => promise;
    await queue.add(START);
    await settled();
    assert.equal(said.length, 1);
    queue.send();
    answers = () => Response.json({ version: 2 });
    reject(new TypeError("timeout"));
    await pass(1);
    assert.deepEqual([said.length, queue.entries], [2, []]);
  });

  test("a first report is not sent twice at once when it fails", async () => {
    answers = () => Promise.reject(new TypeError("no line"));
    await queue.add(START);
    await pass(1);
    assert.equal(said.length, 1);
  });

  test("a refused report and those that depend on it stay until dismissed", async () => {
    answers = (path) =>
      path.includes("status") ? refusal(409, "invalid_transition")() : Response.json({ status: "failed" });
    await queue.add(START, { ...START, to: "arriving" });
    await settled();
    assert.deepEqual(
      queue.entries.map(({ refused }) => refused),
      [{ detail: "No." }, { detail: null }],
    );
    assert.deepEqual(queue.waiting, []);
    await queue.dismiss(7);
    assert.deepEqual(disk.rows, []);
  });

  test("a report of a move that the office already made is not refused", async () => {
    answers = (path) =>
      path.includes("status")
        ? refusal(409, "invalid_transition")()
        : Response.json({ status: "delivering", version: 4 });
    await queue.add(START);
    await settled();
    assert.deepEqual([told[0][0], queue.entries], ["done", []]);
  });

  test("an order with a server error does not block others, and images are sent last", async () => {
    answers = (path) => (path.includes("/7/") ? new Response("", { status: 500 }) : Response.json({ version: 2 }));
    const image = { kind: "image", order: 8, number: "A8", image: "photo", blob: new Blob(["x"]) };
    await queue.add(START, image, { ...START, order: 8, number: "A8" });
    await settled();
    assert.deepEqual(paths(), ["7/status/", "8/status/", "8/proof-images/"]);
    assert.deepEqual(
      queue.waiting.map(({ order }) => order),
      [7],
    );
  });

  test("a time that the server refuses is left out", async () => {
    answers = () => (said.at(-1)[2].at ? refusal(400, "invalid_time")() : Response.json({ version: 2 }));
    await queue.add(START);
    await settled();
    assert.deepEqual([said.length, queue.entries], [2, []]);
  });

  test("nothing is sent before the wait that the server asked for", async () => {
    answers = () => Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } });
    await queue.add(START);
    await pass(10_000);
    await queue.add({ ...START, to: "arriving" });
    await pass(9_000);
    assert.equal(said.length, 1);
    answers = () => Response.json({ version: 2 });
    await pass(2_000);
    assert.deepEqual([said.length, queue.entries], [3, []]);
  });

  test("a driver who is signed out is asked to sign in, and nothing is lost", async () => {
    answers = refusal(401, "not_authenticated");
    await queue.add(START);
    await settled();
    assert.deepEqual([told[0][0], queue.waiting.length], ["sign-in", 1]);
  });

  test("nothing is sent while another driver is signed in, and the page learns of it", async () => {
    signedIn = 4;
    await queue.add(START);
    await settled();
    assert.deepEqual([said, told, queue.waiting.length], [[], [["other-user", undefined]], 1]);
  });

  test("a report that does not fit on the disk is sent at once, but refused while offline", async () => {
    disk.isFull = true;
    await queue.add(START);
    await settled();
    assert.deepEqual([said.length, queue.entries], [1, []]);
    navigator.onLine = false;
    await assert.rejects(queue.add(START));
  });

  test("moves onward, back and to failed", () => {
    assert.deepEqual([onward("assigned")?.to, back("assigned"), mayFail("assigned")], ["delivering", undefined, false]);
    assert.deepEqual(
      [onward("delivering")?.to, back("delivering")?.to, mayFail("delivering")],
      ["arriving", "assigned", true],
    );
    assert.deepEqual([onward("delivered"), back("delivered")], [undefined, undefined]);
  });

  test("a disk that does not answer is tried once for all entries", async () => {
    let tries = 0;
    const write = async () => {
      tries += 1;
      throw new DOMException("The database does not answer.", "TimeoutError");
    };
    const entries = new QueueStorage({ on() {}, write, all: async () => [] });
    entries.addUnsaved(["a", "b", "c"].map((ref) => ({ ref })));
    await entries.read();
    await assert.rejects(entries.add([{ ref: "d" }]));
    assert.deepEqual([tries, entries.list.length], [2, 3]);
  });
});

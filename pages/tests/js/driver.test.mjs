/** The driver's queue of reports, and the moves that the driver may make. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { backMove, mayFail, onwardMove } from "/static/pages/driver/moves.js";
import { Queue } from "/static/pages/driver/queue.js";
import { QueueStorage } from "/static/pages/driver/queue-storage.js";
import { setServerTime } from "/static/web/server-clock.js";
import { pass, settled } from "../../../web/tests/js/page.mjs";

describe("driver", () => {
  /** A fake of the database, whose disk may be full. */
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

  let disk, queue, requests, respond, emitted, signedIn;

  beforeEach(() => {
    // Sets the clock offset, without which the time of a report is unknown.
    setServerTime(Date.now(), 0);
    [disk, requests, emitted, signedIn] = [new Disk(), [], [], 3];
    respond = () => Response.json({ status: "delivering", version: 2 });
    globalThis.fetch = async (url, { method, body }) => {
      if (url.pathname === "/api/v1/drivers/") return Response.json({ results: [{ id: signedIn }] });
      requests.push([
        method,
        url.pathname.replace("/api/v1/orders/", ""),
        typeof body === "string" ? JSON.parse(body) : body,
      ]);
      return respond(url.pathname);
    };
    queue = new Queue(disk, { user: 1, driver: 3 });
    for (const name of ["done", "refused", "sign-in", "other-user"])
      queue.on(name, (value) => emitted.push([name, value]));
  });

  /** Sends all waiting reports, so that none is left for the next test. */
  afterEach(async () => {
    signedIn = 3;
    respond = () => Response.json({ version: 2 });
    await pass(31_000);
  });

  const START = { kind: "status", order: 7, number: "A7", to: "delivering", reason: "" };
  const refusal = (status, code) => () => Response.json({ errors: [{ code, detail: "No." }] }, { status });
  const paths = () => requests.map(([, path]) => path);

  test("a report is stored, sent with its time and ref, and deleted once it is done", async () => {
    await queue.add(START);
    await settled();
    const [[method, path, { ref, at, status }]] = requests;
    assert.deepEqual([method, path, status, at], ["PATCH", "7/status/", "delivering", new Date().toISOString()]);
    assert.equal(emitted[0][1].entry.ref, ref);
    assert.deepEqual([queue.entries, disk.rows], [[], []]);
  });

  test("reports wait while offline, and are sent in order with the same refs", async () => {
    respond = () => Promise.reject(new TypeError("no connection"));
    await queue.add(START);
    await queue.add({ ...START, to: "arriving" });
    await settled();
    const first = requests[0][2].ref;
    respond = () => Response.json({ version: 2 });
    await pass(2_000);
    const done = emitted.map(([, { entry }]) => entry.to);
    assert.deepEqual([done, requests.at(-2)[2].ref], [["delivering", "arriving"], first]);
  });

  test("after `send`, a report whose request hangs is sent again as soon as that request fails", async () => {
    const { promise, reject } = Promise.withResolvers();
    respond = () => promise;
    await queue.add(START);
    await settled();
    assert.equal(requests.length, 1);
    queue.send();
    respond = () => Response.json({ version: 2 });
    reject(new TypeError("timeout"));
    await pass(1);
    assert.deepEqual([requests.length, queue.entries], [2, []]);
  });

  test("a report whose request failed is not sent again at once", async () => {
    respond = () => Promise.reject(new TypeError("no connection"));
    await queue.add(START);
    await pass(1);
    assert.equal(requests.length, 1);
  });

  test("a refused report and the later ones of its order stay until dismissed", async () => {
    respond = (path) =>
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
    respond = (path) =>
      path.includes("status")
        ? refusal(409, "invalid_transition")()
        : Response.json({ status: "delivering", version: 4 });
    await queue.add(START);
    await settled();
    assert.deepEqual([emitted[0][0], queue.entries], ["done", []]);
  });

  test("a server error for one order does not block others, and images are sent last", async () => {
    respond = (path) => (path.includes("/7/") ? new Response("", { status: 500 }) : Response.json({ version: 2 }));
    const image = { kind: "image", order: 8, number: "A8", image: "photo", blob: new Blob(["x"]) };
    await queue.add(START, image, { ...START, order: 8, number: "A8" });
    await settled();
    assert.deepEqual(paths(), ["7/status/", "8/status/", "8/proof-images/"]);
    assert.deepEqual(
      queue.waiting.map(({ order }) => order),
      [7],
    );
  });

  test("a report whose time the server refuses is sent without a time", async () => {
    respond = () => (requests.at(-1)[2].at ? refusal(400, "invalid_time")() : Response.json({ version: 2 }));
    await queue.add(START);
    await settled();
    assert.deepEqual([requests.length, queue.entries], [2, []]);
  });

  test("nothing is sent before the wait that the server asked for has passed", async () => {
    respond = () => Response.json({ errors: [] }, { status: 503, headers: { "Retry-After": "20" } });
    await queue.add(START);
    await pass(10_000);
    await queue.add({ ...START, to: "arriving" });
    await pass(9_000);
    assert.equal(requests.length, 1);
    respond = () => Response.json({ version: 2 });
    await pass(2_000);
    assert.deepEqual([requests.length, queue.entries], [3, []]);
  });

  test("a signed-out driver is asked to sign in, and the report waits", async () => {
    respond = refusal(401, "not_authenticated");
    await queue.add(START);
    await settled();
    assert.deepEqual([emitted[0][0], queue.waiting.length], ["sign-in", 1]);
  });

  test("while another driver is signed in, nothing is sent and “other-user” is emitted", async () => {
    signedIn = 4;
    await queue.add(START);
    await settled();
    assert.deepEqual([requests, emitted, queue.waiting.length], [[], [["other-user", undefined]], 1]);
  });

  test("a report that does not fit on the disk is sent at once, and rejected while offline", async () => {
    disk.isFull = true;
    await queue.add(START);
    await settled();
    assert.deepEqual([requests.length, queue.entries], [1, []]);
    navigator.onLine = false;
    await assert.rejects(queue.add(START));
  });

  test("the moves onward, back and to failed depend on the status", () => {
    assert.deepEqual(
      [onwardMove("assigned")?.to, backMove("assigned"), mayFail("assigned")],
      ["delivering", undefined, false],
    );
    assert.deepEqual(
      [onwardMove("delivering")?.to, backMove("delivering")?.to, mayFail("delivering")],
      ["arriving", "assigned", true],
    );
    assert.deepEqual([onwardMove("delivered"), backMove("delivered")], [undefined, undefined]);
  });

  test("after a timeout the database is not tried again for each entry", async () => {
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

/** Commands that a page sends, and their answers. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { newRef } from "/static/realtime/ref.js";
import { pass, settled } from "../../../web/tests/js/page.mjs";
import { FakeServer } from "./fake-server.mjs";

describe("commands", () => {
  const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const MOVE = { type: "order_update", order_id: 17, status: "delivering" };
  let server, outcomes;

  beforeEach(() => {
    [server, outcomes] = [new FakeServer(), []];
  });
  afterEach(() => server.closePage());

  async function send(message) {
    server.socket.send(message).then(
      (frame) => outcomes.push(["done", frame]),
      (error) => outcomes.push([error.code, error.frame]),
    );
    await settled();
  }

  const codes = () => outcomes.map(([code]) => code);

  test("a command gets a ref and resolves with its ack", async () => {
    await server.openLive();
    await send(MOVE);
    const { ref } = server.messages[0];
    assert.match(ref, UUID);
    const ack = { type: "ack", ref, order_id: 17, status: "delivering", version: 4 };
    await server.send({ type: "ack", ref: "another" });
    await server.send(ack);
    assert.deepEqual(outcomes, [["done", ack]]);
  });

  test("a refused command rejects with the error", async () => {
    await server.openLive();
    await send({ ...MOVE, ref: "r1" });
    const error = { type: "error", code: "invalid_transition", detail: "no", ref: "r1" };
    await server.send(error);
    assert.deepEqual(outcomes, [["invalid_transition", error]]);
  });

  for (const code of ["rate_limited", "row_locked", "busy"])
    test(`a command is sent again after a temporary error: ${code}`, async () => {
      await server.openLive();
      await send({ ...MOVE, ref: "r1" });
      server.socket.subscribe("orders");
      for (const ref of ["r1", "orders"]) await server.send({ type: "error", code, detail: "slowly", ref });
      await pass(2_000);
      assert.deepEqual(server.messages.slice(2), server.messages.slice(0, 2));
      await server.send({ type: "ack", ref: "r1" });
      assert.deepEqual(codes(), ["done"]);
    });

  test("an unanswered command is sent again with its ref on the next connection", async () => {
    await server.openLive();
    await send({ ...MOVE, ref: "r1" });
    await server.closeConnection();
    await pass(1_000);
    await server.accept({ recovered: true });
    assert.deepEqual(
      server.messages.flatMap(({ ref }) => ref ?? []),
      ["r1", "r1"],
    );
    await server.send({ type: "ack", ref: "r1" });
    assert.deepEqual(codes(), ["done"]);
  });

  test("a command sent while offline is sent on the next connection", async () => {
    await server.open();
    await send({ ...MOVE, ref: "r1" });
    assert.deepEqual(server.messages, []);
    await server.accept();
    assert.equal(server.messages[0].ref, "r1");
  });

  test("a command with a repeated ref is sent once", async () => {
    await server.openLive();
    await send({ ...MOVE, ref: "r1" });
    await send({ ...MOVE, ref: "r1" });
    await server.send({ type: "ack", ref: "r1" });
    assert.deepEqual([codes(), server.messages.length], [["done", "done"], 1]);
  });

  test("a message without an answer is refused while offline", async () => {
    await server.open();
    await send({ type: "location_update", latitude: 25.0, longitude: 121.5 });
    assert.deepEqual(codes(), ["no_socket"]);
  });

  test("a command beyond 32 waiting ones is refused", async () => {
    await server.open();
    for (let number = 0; number < 33; number += 1) await send({ ...MOVE, ref: `r${number}` });
    assert.deepEqual(codes(), ["too_many"]);
  });

  test("close rejects waiting commands", async () => {
    await server.openLive();
    await send(MOVE);
    server.socket.close();
    await send(MOVE);
    assert.deepEqual(codes(), ["closed", "closed"]);
  });

  test("a ref is a UUID also outside a secure context", () => {
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    assert.match(newRef(), UUID);
    delete crypto.randomUUID;
  });
});

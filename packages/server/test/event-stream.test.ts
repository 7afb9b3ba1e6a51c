// @module-tag faults
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";

const EVENTS = process.env["LONG_TESTS"] === "true" ? 10_000 : 3000;
const execution = crypto.randomUUID();
let place: RunsPlace;
let port: number;
let token: string;

beforeAll(async () => {
  place = await createRunsPlace({});
  const record = place.engine.history.recorder((error) => {
    throw error;
  });
  const base = { time: new Date().toISOString(), level: "info", execution } as const;
  record({ ...base, event: "run.started", workflow: "long", message: "workflow long" });
  for (let index = 1; index < EVENTS - 1; index++) {
    record({ ...base, event: "task.log", task: "say", message: `${index} ${"x".repeat(200)}` });
  }
  record({ ...base, event: "run.finished", status: "success", durationMs: 1, tasks: {}, masked: {} });
  token = await place.token("runner");
  await place.app.listen({ port: 0, host: "127.0.0.1" });
  port = (place.app.server.address() as { port: number }).port;
});
afterAll(async () => await place.close());

/** Follows the run from a place on. */
function follow(last: number | null): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const from = last === null ? "" : `Last-Event-ID: ${last}\r\n`;
  const head = `GET /api/runs/${execution}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
  socket.write(`${head}Accept: text/event-stream\r\nConnection: close\r\n${from}\r\n`);
  return socket;
}

/** Reads until the end, or cuts itself off after so many bytes. @returns the ids of whole events */
async function read(last: number | null, bytes: number): Promise<{ ids: number[]; isEnd: boolean }> {
  const socket = follow(last);
  let text = "";
  for await (const data of socket) {
    text += String(data);
    if (text.length > bytes) break;
  }
  socket.destroy();
  // Without the sizes of chunks.
  const lines = text.replaceAll(/\r\n[0-9a-f]+\r\n/g, "");
  const ids = [...lines.matchAll(/id: (\d+)\ndata: \{[^\n]*\}\n\n/g)].map(([, id]) => Number(id));
  return { ids, isEnd: lines.includes("event: end") };
}

describe("the events of a long run", () => {
  it("come once each and in their order, wherever clients are cut off", async () => {
    const all = Array.from({ length: EVENTS }, (_, index) => index);
    const client = async (bytes: number) => {
      const ids: number[] = [];
      for (let isEnd = false; !isEnd; ) {
        const part = await read(ids.at(-1) ?? null, bytes);
        ids.push(...part.ids);
        isEnd = part.isEnd;
      }
      return ids;
    };
    const cuts = [30, 70, 150, Number.POSITIVE_INFINITY];
    const found = await Promise.all(cuts.map(async (bytes) => await client(EVENTS * bytes + 1)));
    for (const ids of found) expect(ids).toEqual(all);
  }, 60_000);
});

it("all events of a long run come as JSON, some at a time", async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/api/runs/${execution}/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  // A length would mean that they were all in memory at once.
  expect([answer.headers.get("content-type"), answer.headers.get("content-length")]).toEqual([
    "application/json; charset=utf-8",
    null,
  ]);
  expect(await answer.json()).toEqual(await place.engine.history.events(execution));
});

it("many streams over one connection leave no listener behind", async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => void warnings.push(name);
  process.on("warning", onWarning);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: "text/event-stream",
    "last-event-id": String(EVENTS - 3),
  };
  for (let index = 0; index < 15; index++) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/runs/${execution}/events`, { headers });
    expect(await answer.text()).toContain("event: end");
  }
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

describe("a stream of a run that goes on", () => {
  const open = crypto.randomUUID();

  beforeAll(() => {
    const record = place.engine.history.recorder((error) => {
      throw error;
    });
    const base = { time: new Date().toISOString(), level: "info", execution: open } as const;
    record({ ...base, event: "run.started", workflow: "open", message: "workflow open" });
  });

  const get = async (bearer: string, method = "GET") =>
    await fetch(`http://127.0.0.1:${port}/api/runs/${open}/events`, {
      method,
      headers: { authorization: `Bearer ${bearer}`, accept: "text/event-stream", connection: "close" },
    });

  it.each<[string, () => Promise<[ending: string, end: () => Promise<unknown>]>]>([
    [
      "is revoked",
      async () => [await place.token("runner", { name: "gone" }), async () => await place.tokens.revoke("gone")],
    ],
    [
      "expires",
      async () => [
        await place.token("runner", { expiresAt: new Date(Date.now() + 4000).toISOString() }),
        async () => undefined,
      ],
    ],
  ])("ends where its token %s, and does not say that the run has", async (_, make) => {
    const stays = await get(await place.token("runner"));
    const [ending, end] = await make();
    const gone = await get(ending);
    await end();
    const text = await gone.text();
    expect(text).toContain("run.started");
    expect(text).not.toContain("event: end");
    expect(await (await get(ending)).json()).toMatchObject({ status: 401 });
    const reader = stays.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await reader?.cancel();
  });

  it("is no stream for HEAD", async () => {
    const answer = await get(await place.token("runner"), "HEAD");
    expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([
      200,
      "text/event-stream",
      "",
    ]);
  });
});

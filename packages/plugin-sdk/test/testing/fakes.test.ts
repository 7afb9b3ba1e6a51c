import { expect, it, onTestFinished } from "vitest";
import { defineAction, z } from "../../src/index.ts";
import { runAction, startFakeClock, startFakeServer } from "../../src/testing/index.ts";

it("a fake clock lets an action wait for hours, and for what follows", async () => {
  const clock = startFakeClock(new Date("2026-05-01T00:00:00Z"));
  onTestFinished(() => clock.stop());
  const sleep = async (ms: number) => await new Promise((resolve) => setTimeout(resolve, ms));
  const action = defineAction({
    input: z.unknown(),
    async run() {
      for (let hour = 0; hour < 3; hour++) await sleep(3_600_000);
      return new Date().toISOString();
    },
  });
  const running = runAction(action, {});
  await clock.advance(4 * 3_600_000);
  const { output } = await running;
  expect(output >= "2026-05-01T03:00:00.000Z" && output < "2026-05-01T03:10:00.000Z").toBe(true);
  expect(clock.now).toBe(Date.parse("2026-05-01T04:00:00Z"));
});

it("a fake server answers what it was told, and keeps what it has received", async () => {
  const server = await startFakeServer({ "POST /a": { status: 201, headers: { "x-b": "c" }, body: { ok: true } } });
  onTestFinished(async () => await server.close());
  const response = await fetch(`${server.url}/a?q=1`, { method: "POST", body: "text", headers: { "x-token": "t" } });
  expect([response.status, response.headers.get("x-b"), await response.json()]).toEqual([201, "c", { ok: true }]);
  expect((await fetch(`${server.url}/b`)).status).toBe(404);
  expect(server.requests).toMatchObject([
    { method: "POST", path: "/a?q=1", body: "text", headers: { "x-token": "t" } },
    { method: "GET", path: "/b", body: "" },
  ]);
});

it("a fake server answers by a function, and with 500 if that fails", async () => {
  const server = await startFakeServer(({ path }) => {
    if (path === "/bad") throw new Error("on purpose");
    return { body: path };
  });
  onTestFinished(async () => await server.close());
  expect(await (await fetch(`${server.url}/good`)).text()).toBe("/good");
  expect((await fetch(`${server.url}/bad`)).status).toBe(500);
});

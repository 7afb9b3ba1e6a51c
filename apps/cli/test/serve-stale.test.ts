// @module-tag faults
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";
import { serve } from "./served.ts";

let box: Sandbox;
beforeAll(() => {
  box = createSandbox();
});
let isUp = true;
const provider = createServer((_, response) => response.writeHead(isUp ? 200 : 503).end("outside-value-4711"));
afterAll(() => {
  provider.close();
  box.remove();
});

it("V7: a run of a server uses an earlier value while its provider is down, and says so; one of the command line does not", async () => {
  const address = await listen(provider);
  const web = `{ type: http, url: "${address}/{name}", path: "{name}", onUnavailable: stale }`;
  writeFileSync(join(box.folder, "autokestra.config.yaml"), `providers: { web: ${web} }\n`);
  const say = `{ id: say, type: core/console.log, inputs: { message: "{{ secrets.DB }}" } }`;
  writeFileSync(join(box.folder, "deploy.yaml"), `{ apiVersion: v1, id: deploy, secrets: [DB], tasks: [${say}] }`);
  const token = (await box.ak(["tokens", "create", "me", "--role", "admin"])).stdout.trim();
  const served = await serve(box, ["--workflows", box.folder]);
  const ask = async (path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(served.address + path, {
      headers,
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    return await response.text();
  };
  const run = async () => {
    const { execution } = JSON.parse(await ask("/api/runs", { workflow: "deploy" }));
    const status = async () => JSON.parse(await ask(`/api/runs/${execution}`)).status;
    await expect.poll(status).not.toMatch(/queued|running/);
    return { execution, status: await status() };
  };
  expect(await run()).toMatchObject({ status: "success" });
  isUp = false;
  const { execution, status } = await run();
  expect(status).toBe("success");
  const events = await ask(`/api/runs/${execution}/events`);
  expect(events).toMatch(/DB: web is not available, and its value of \d+ s ago is used/);
  expect(events).not.toContain("outside-value");
  expect(JSON.parse(await ask(`/api/runs/${execution}/secrets`))).toMatchObject([
    { name: "DB", source: "web", staleSeconds: expect.any(Number) },
  ]);
  expect(await ask("/metrics")).toMatch(/provider_requests_total\{provider="web",call="lookup",status="stale"\} 1/);
  expect((await box.ak(["run", "deploy.yaml"])).stderr).toContain("could not be read from web");
  isUp = true;
  const fresh = await run();
  expect(JSON.parse(await ask(`/api/runs/${fresh.execution}/secrets`))).toMatchObject([{ staleSeconds: null }]);
  await served.stop();
});

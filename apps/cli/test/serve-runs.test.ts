import { createHmac } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSandbox } from "./run-cli.ts";
import { type Served, serve } from "./served.ts";

const box = createSandbox();
afterAll(() => box.remove());

const SECRET = "s3cret-t0ken-of-the-server";
const HOOK = "the-secret-of-the-hook";
const folder = join(box.folder, "workflows");

const WORKFLOWS: Readonly<Record<string, string>> = {
  "hello.yaml": `
apiVersion: v1
id: hello
secrets: [TOKEN]
inputs: { name: { type: string, default: world }, times: { type: number, default: 1 } }
tasks:
  - { id: greet, type: core/console.log, inputs: { message: "hello {{ inputs.name }} {{ inputs.times }} with {{ secrets.TOKEN }}" } }
`,
  "slow.yaml": `
apiVersion: v1
id: slow
tasks:
  - { id: first, type: core/console.log, inputs: { message: first } }
  - { id: wait, type: core/shell.run, needs: [first], inputs: { command: sleep, args: ["60"] } }
`,
  "sleeper.yaml": `
apiVersion: v1
id: sleeper
tasks:
  - { id: wait, type: core/shell.run, inputs: { command: sleep, args: ["60"] } }
`,
  "hook.yaml": `
apiVersion: v1
id: hook
secrets: [HOOK_KEY]
trigger: { type: webhook, secret: HOOK_KEY, signature: hmac-sha256 }
tasks:
  - { id: say, type: core/console.log, inputs: { message: "event {{ inputs.body.event }}" } }
`,
  "missing.yaml": `
apiVersion: v1
id: missing
secrets: [NOT_THERE]
tasks:
  - { id: say, type: core/console.log, inputs: { message: "{{ secrets.NOT_THERE }}" } }
`,
};

/** What is asked for with a token. */
interface Client extends Served {
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Answer; headers: Headers }>;
  /** Waits until the run has ended. */
  ended(id: string): Promise<Answer>;
}

type Answer = ReturnType<typeof JSON.parse>;

const tokens = new Map<string, string>();

async function connect(role = "admin", args: readonly string[] = []): Promise<Client> {
  const served = await serve(box, ["--workflows", folder, ...args]);
  const { address } = served;
  const client: Client = {
    ...served,
    async ask(method, path, body, headers = {}) {
      const json = body === undefined ? {} : { "content-type": "application/json" };
      const response = await fetch(address + path, {
        method,
        headers: { authorization: `Bearer ${tokens.get(role)}`, ...json, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text,
      };
    },
    async ended(id) {
      let run: Answer;
      await expect
        .poll(async () => {
          run = (await client.ask("GET", `/api/runs/${id}`)).body;
          return run.status;
        })
        .not.toMatch(/queued|running/);
      return run;
    },
  };
  return client;
}

let client: Client;

beforeAll(async () => {
  mkdirSync(folder);
  for (const [name, text] of Object.entries(WORKFLOWS)) writeFileSync(join(folder, name), text);
  await box.ak(["secrets", "set", "TOKEN"], { input: SECRET });
  await box.ak(["secrets", "set", "HOOK_KEY"], { input: HOOK });
  for (const role of ["admin", "runner", "reader"]) {
    tokens.set(role, (await box.ak(["tokens", "create", role, "--role", role])).stdout.trim());
  }
  const narrowed = ["tokens", "create", "narrowed", "--role", "runner", "--prefix", "HOOK_"];
  tokens.set("narrowed", (await box.ak(narrowed)).stdout.trim());
  client = await connect();
});
afterAll(async () => void (await client.stop()));

const as = (role: string) => ({ authorization: `Bearer ${tokens.get(role)}` });

describe("runs", () => {
  it("start by the id of a workflow, and show how they end", async () => {
    const started = await client.ask(
      "POST",
      "/api/runs",
      { workflow: "hello", inputs: { name: "you", times: 3 } },
      as("runner"),
    );
    expect(started).toMatchObject({ status: 202, body: { workflow: "hello" } });
    const { execution } = started.body;
    expect(started.headers.get("location")).toBe(`/api/runs/${execution}`);
    expect(await client.ended(execution)).toMatchObject({
      execution,
      workflow: "hello",
      status: "success",
      masked: { TOKEN: { count: 1 } },
    });
    const { body: events } = await client.ask("GET", `/api/runs/${execution}/events`);
    expect(events.at(0)).toMatchObject({ event: "run.started" });
    expect(events.at(-1)).toMatchObject({ event: "run.finished", status: "success" });
    expect(JSON.stringify(events)).toContain("hello you 3 with ***SECRET***");
    expect(JSON.stringify(events)).not.toContain(SECRET);
    const listed = await client.ask("GET", "/api/runs?workflow=hello&status=success&limit=1");
    expect(listed.body).toMatchObject([{ execution }]);
    const recorded = JSON.parse((await box.ak(["audit", "list", "--json"])).stdout);
    expect(
      recorded.filter((record: Answer) => record.execution === execution).map((record: Answer) => record.action),
    ).toEqual(expect.arrayContaining(["run.start", "run.end"]));
  });

  it.each<[string, unknown, number, string]>([
    ["a workflow that is not there", { workflow: "nothing" }, 404, "NOT_FOUND"],
    ["an input that is not declared", { workflow: "hello", inputs: { nmae: "x" } }, 400, "INPUT_INVALID"],
    ["an input of another type", { workflow: "hello", inputs: { times: "many" } }, 400, "INPUT_INVALID"],
    ["a key that is not known", { workflow: "hello", input: {} }, 400, "REQUEST_INVALID"],
    ["a text that is no workflow", { workflow: "apiVersion: v1\nid: x\ntaks: []\n" }, 400, "WORKFLOW_INVALID"],
  ])("do not start with %s", async (_, body, status, code) => {
    expect(await client.ask("POST", "/api/runs", body)).toMatchObject({ status, body: { code } });
  });

  it("start from text with a permission of its own", async () => {
    const workflow =
      "{ apiVersion: v1, id: text, tasks: [{ id: say, type: core/console.log, inputs: { message: hi } }] }";
    expect(await client.ask("POST", "/api/runs", { workflow }, as("runner"))).toMatchObject({ status: 403 });
    const { body } = await client.ask("POST", "/api/runs", { workflow });
    expect(await client.ended(body.execution)).toMatchObject({ workflow: "text", status: "success" });
  });

  it("start once for one Idempotency-Key of one token", async () => {
    const key = { "idempotency-key": "the-key" };
    const ids = await Promise.all(
      Array.from(
        { length: 5 },
        async () => (await client.ask("POST", "/api/runs", { workflow: "hello" }, key)).body.execution,
      ),
    );
    expect(new Set(ids).size).toBe(1);
    const other = await client.ask("POST", "/api/runs", { workflow: "hello" }, { ...key, ...as("runner") });
    expect(other.body.execution).not.toBe(ids[0]);
  });

  it("that cannot start are recorded as failed, with the reason", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "missing" });
    expect(await client.ended(body.execution)).toMatchObject({ status: "failed" });
    const events = await client.ask("GET", `/api/runs/${body.execution}/events`);
    expect(JSON.stringify(events.body)).toContain("NOT_THERE");
  });

  it("are cancelled", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "slow" });
    await expect.poll(async () => (await client.ask("GET", `/api/runs/${body.execution}`)).body.status).toBe("running");
    expect(await client.ask("POST", `/api/runs/${body.execution}/cancel`)).toMatchObject({ status: 202 });
    expect(await client.ended(body.execution)).toMatchObject({ status: "cancelled", cancelledBy: "user" });
    expect(await client.ask("POST", `/api/runs/${body.execution}/cancel`)).toMatchObject({
      status: 409,
      body: { code: "RUN_ENDED" },
    });
  });

  it("run again", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "hello", inputs: { name: "again" } });
    await client.ended(body.execution);
    const again = await client.ask("POST", `/api/runs/${body.execution}/rerun`, {});
    expect(again).toMatchObject({ status: 202, body: { workflow: "hello" } });
    expect(again.body.execution).not.toBe(body.execution);
    expect(await client.ended(again.body.execution)).toMatchObject({ status: "success" });
  });

  it("are told live, and again from where a client was cut off", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "hello" });
    const accept = { accept: "text/event-stream" };
    const path = `/api/runs/${body.execution}/events`;
    const whole = await client.ask("GET", path, undefined, accept);
    expect(whole.headers.get("content-type")).toBe("text/event-stream");
    const ids = [...whole.body.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(ids.map((_, index) => index));
    expect(whole.body).toMatch(/"event":"run.finished".*\n\nevent: end\ndata: \{\}\n\n$/s);
    const rest = await client.ask("GET", path, undefined, { ...accept, "last-event-id": String(ids.at(-3)) });
    expect([...rest.body.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual(ids.slice(-2));
  });
});

describe("a narrowed token", () => {
  it("sees workflows all of whose secrets it may see, and their runs", async () => {
    const { body: workflows } = await client.ask("GET", "/api/workflows", undefined, as("narrowed"));
    expect(workflows.map(({ id }: Answer) => id)).toEqual(["hook", "sleeper", "slow"]);
    expect(await client.ask("POST", "/api/runs", { workflow: "hello" }, as("narrowed"))).toMatchObject({ status: 404 });
    const { body: runs } = await client.ask("GET", "/api/runs", undefined, as("narrowed"));
    expect(runs.every(({ workflow }: Answer) => workflow === "slow" || workflow === "hook")).toBe(true);
    const { body: others } = await client.ask("GET", "/api/runs?workflow=hello");
    expect(await client.ask("GET", `/api/runs/${others[0].execution}`, undefined, as("narrowed"))).toMatchObject({
      status: 404,
    });
  });
});

describe("workflows", () => {
  it("are listed, and checked as text", async () => {
    const { body } = await client.ask("GET", "/api/workflows", undefined, as("runner"));
    expect(body.find(({ id }: Answer) => id === "hello")).toMatchObject({
      file: "hello.yaml",
      secrets: ["TOKEN"],
      inputs: { name: { type: "string", required: false, default: "world" } },
      problem: null,
    });
    const workflow = "apiVersion: v1\nid: x\ntasks:\n  - { id: a, type: core/console.lgo }\n";
    const checked = await client.ask("POST", "/api/workflows/check", { workflow });
    expect(checked.body.problems).toMatchObject([{ severity: "error", line: 4 }]);
    expect(await client.ask("GET", "/api/workflows", undefined, as("reader"))).toMatchObject({ status: 403 });
  });
});

describe("webhooks", () => {
  function sign(id: string, body: string, key = HOOK) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  }
  const send = async (path: string, body: string, headers: Record<string, string>) =>
    await fetch(client.address + path, { method: "POST", body, headers });

  it("start their workflow once for each message that is signed", async () => {
    const body = '{"event":"push"}';
    const answers = await Promise.all(
      Array.from(
        { length: 3 },
        async () => (await (await send("/api/hooks/hook", body, sign("m1", body))).json()) as Answer,
      ),
    );
    expect(new Set(answers.map(({ execution }) => execution)).size).toBe(1);
    expect(await client.ended(answers[0].execution)).toMatchObject({ status: "success" });
    const events = await client.ask("GET", `/api/runs/${answers[0].execution}/events`);
    expect(JSON.stringify(events.body)).toContain("event push");
  });

  it.each([
    ["with a wrong signature", "/api/hooks/hook", "another-key"],
    ["to a workflow that is not there", "/api/hooks/nothing", HOOK],
    ["to a workflow without a webhook", "/api/hooks/hello", HOOK],
  ])("are refused %s, alike", async (_, path, key) => {
    const response = await send(path, "{}", sign("m2", "{}", key));
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      code: "UNAUTHORIZED",
      detail: "The webhook is not signed as its workflow says",
    });
  });
});

describe("a server that ends", { tags: ["faults"] }, () => {
  it("killed: its runs are lost, and go on after it is started again", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "slow" });
    await expect
      .poll(async () => JSON.stringify((await client.ask("GET", `/api/runs/${body.execution}/events`)).body))
      .toContain('"task":"wait"');
    await client.stop("SIGKILL");
    const slow = WORKFLOWS["slow.yaml"] ?? "";
    writeFileSync(join(folder, "slow.yaml"), slow.replace('args: ["60"]', 'args: ["0"]'));
    client = await connect();
    expect((await client.ask("GET", `/api/runs/${body.execution}`)).body).toMatchObject({ status: "lost" });
    expect(await client.ask("POST", `/api/runs/${body.execution}/resume`, {})).toMatchObject({ status: 202, body });
    expect(await client.ended(body.execution)).toMatchObject({ status: "success" });
    const { body: events } = await client.ask("GET", `/api/runs/${body.execution}/events`);
    const starts = events.filter(({ event, task }: Answer) => event === "task.started" && task === "first");
    expect(starts).toHaveLength(1);
  });

  it("killed: what waited goes on with its key, and what went on is lost", async () => {
    await client.stop();
    const one = join(box.folder, "one.yaml");
    writeFileSync(one, "server: { maxRuns: 1 }\n");
    const args = ["--config", one];
    client = await connect("admin", args);
    const running = (await client.ask("POST", "/api/runs", { workflow: "sleeper" })).body.execution;
    await expect.poll(async () => (await client.ask("GET", `/api/runs/${running}`)).body.status).toBe("running");
    const start = async () =>
      (
        await client.ask(
          "POST",
          "/api/runs",
          { workflow: "hello", inputs: { name: "you" } },
          { "idempotency-key": "kept" },
        )
      ).body.execution;
    const waiting = await start();
    expect((await client.ask("GET", `/api/runs/${waiting}`)).body.status).toBe("queued");
    await client.stop("SIGKILL");
    await expectQueuedAfterFailedStart(waiting, args);
    client = await connect("admin", args);
    expect((await client.ask("GET", `/api/runs/${running}`)).body.status).toBe("lost");
    expect(await client.ended(waiting)).toMatchObject({ status: "success", masked: { TOKEN: { count: 1 } } });
    expect(await start()).toBe(waiting);
    const { body: events } = await client.ask("GET", `/api/runs/${waiting}/events`);
    expect(JSON.stringify(events)).toContain("hello you 1 with ***SECRET***");
    expect((await client.ask("GET", "/api/runs?status=queued")).body).toEqual([]);
    await client.stop();
    client = await connect();
  });

  /** A server whose port is taken leaves the runs of others where they are. */
  async function expectQueuedAfterFailedStart(id: string, args: readonly string[]): Promise<void> {
    const other = createServer();
    const { port } = new URL(await listen(other));
    const { code, stderr } = await box.ak(["serve", "--port", port, "--workflows", folder, ...args]);
    other.close();
    expect([code, stderr]).toEqual([2, expect.stringContaining("EADDRINUSE")]);
    const { stdout } = await box.ak(["runs", "list", "--status", "queued", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject([{ execution: id }]);
  }

  it("by SIGTERM: runs that do not end in their time are cancelled as shutdown, and live streams end", async () => {
    const { body } = await client.ask("POST", "/api/runs", { workflow: "sleeper" });
    await expect.poll(async () => (await client.ask("GET", `/api/runs/${body.execution}`)).body.status).toBe("running");
    const stream = client.ask("GET", `/api/runs/${body.execution}/events`, undefined, { accept: "text/event-stream" });
    expect((await client.stop()).code).toBe(0);
    expect((await stream).body).toContain("run.started");
    client = await connect();
    expect((await client.ask("GET", `/api/runs/${body.execution}`)).body).toMatchObject({
      status: "cancelled",
      cancelledBy: "shutdown",
    });
  });
});

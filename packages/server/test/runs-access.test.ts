import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES } from "@autokestra/secrets";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { serveRuns } from "../src/runs.ts";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { call } from "./server-place.ts";

const say = (message: string) => `{ id: say, type: core/console.log, inputs: { message: "${message}" } }`;
const HOOK = "trigger: { type: webhook, secret: CI_HOOK, signature: hmac-sha256 }";
const TEXT = `{ apiVersion: v1, id: seen, secrets: [HIDDEN], tasks: [${say("{{ secrets.HIDDEN }}")}] }`;

let place: RunsPlace;
let admin: string;
/** Of each, the token of a role, narrowed or not. */
let runner: string;
let narrowed: string;
let narrowedAdmin: string;
/** A run that came as text, with the id of a workflow that everybody sees. */
let textRun: string;
let hiddenRun: string;
let seenRun: string;

beforeAll(async () => {
  place = await createRunsPlace({
    "seen.yaml": `{ apiVersion: v1, id: seen, secrets: [CI_SEEN], tasks: [${say("hi")}] }`,
    "hidden.yaml": `{ apiVersion: v1, id: hidden, secrets: [HIDDEN], tasks: [${say("{{ secrets.HIDDEN }}")}] }`,
    "asks.yaml": `{ apiVersion: v1, id: asks, inputs: { password: { type: string, secret: true } }, tasks: [${say("{{ inputs.password }}")}] }`,
    "hook.yaml": `{ apiVersion: v1, id: hook, secrets: [CI_HOOK], ${HOOK}, tasks: [${say("got {{ inputs.body }}")}] }`,
    "gone.yaml": `{ apiVersion: v1, id: gone, secrets: [CI_GONE], ${HOOK.replace("CI_HOOK", "CI_GONE")}, tasks: [${say("hi")}] }`,
    "fails.yaml": `{ apiVersion: v1, id: fails, tasks: [{ id: a, type: core/shell.run, inputs: { command: "false" } }] }`,
  });
  for (const name of ["CI_SEEN", "CI_HOOK", "HIDDEN"]) {
    await place.manager.secrets.create({ name, type: "apiKey", fields: { value: `value of ${name}` } });
  }
  const prefixes = ["CI_"];
  [admin, runner] = [await place.token("admin"), await place.token("runner")];
  narrowed = await place.token("runner", { prefixes });
  narrowedAdmin = await place.token("admin", { prefixes });
  textRun = await run(TEXT);
  hiddenRun = await run("hidden");
  seenRun = await run("seen");
});
afterAll(async () => await place.close());

const ask = async (token: string | null, method: string, path: string, payload?: object) =>
  await call(place.app, method, path, token, { ...(payload && { payload }) });

/** Starts a run, and waits for its end. */
async function run(workflow: string, inputs = {}): Promise<string> {
  const { execution } = (await ask(admin, "POST", "/api/runs", { workflow, inputs })).json();
  await ended(execution);
  return execution;
}

const ended = async (id: string) => await place.ended(id);

describe("W1: a run that came as text", () => {
  it("is seen by a runner, and runs again for those only who may start text", async () => {
    expect((await ask(runner, "GET", `/api/runs/${textRun}`)).statusCode).toBe(200);
    for (const action of ["rerun", "resume"]) {
      const refused = await ask(runner, "POST", `/api/runs/${textRun}/${action}`, {});
      expect([refused.statusCode, refused.json().code]).toEqual([403, "FORBIDDEN"]);
      expect((await ask(runner, "POST", `/api/runs/${seenRun}/${action}`, {})).statusCode).toBe(
        action === "rerun" ? 202 : 409,
      );
    }
  });

  it("is neither seen nor started by a narrowed token, whatever its id and its role", async () => {
    for (const token of [narrowed, narrowedAdmin]) {
      for (const id of [textRun, hiddenRun, crypto.randomUUID()]) {
        for (const [method, path] of [
          ["GET", ""],
          ["GET", "/events"],
          ["POST", "/cancel"],
          ["POST", "/rerun"],
          ["POST", "/resume"],
        ] as const) {
          const answer = await ask(token, method, `/api/runs/${id}${path}`, method === "POST" ? {} : undefined);
          expect([method, path, answer.statusCode, answer.json().code]).toEqual([method, path, 404, "RUN_NOT_FOUND"]);
        }
      }
      expect((await ask(token, "POST", "/api/runs", { workflow: TEXT })).statusCode).toBe(403);
      expect((await ask(token, "POST", "/api/workflows/check", { workflow: TEXT })).statusCode).toBe(403);
      const listed = (await ask(token, "GET", "/api/runs")).json();
      const shown = listed.map(({ execution }: { execution: string }) => execution);
      expect(shown).toContain(seenRun);
      expect(shown).not.toContain(textRun);
      expect(shown).not.toContain(hiddenRun);
    }
  });
});

it("a run is hidden from whom a secret is hidden that its workflow had then", async () => {
  const path = join(place.workflows, "changed.yaml");
  const write = async (secrets: string, task: string) => {
    writeFileSync(path, `{ apiVersion: v1, id: changed, secrets: [${secrets}], tasks: [${task}] }`);
    await expect
      .poll(async () => (await ask(admin, "GET", "/api/workflows/changed")).json().secrets)
      .toEqual(secrets.split(", "));
  };
  await write("CI_SEEN, HIDDEN", say("{{ secrets.HIDDEN }}"));
  const before = await run("changed");
  // What is declared is named in the events, used or not.
  await write("HIDDEN", `{ id: fails, type: core/shell.run, inputs: { command: "false" } }`);
  const resumed = await run("changed");
  await write("CI_SEEN", say("hi"));
  expect((await ask(admin, "POST", `/api/runs/${resumed}/resume`, {})).statusCode).toBe(202);
  await ended(resumed);
  const after = await run("changed");
  for (const token of [narrowed, narrowedAdmin]) {
    for (const id of [before, resumed]) {
      for (const part of ["", "/events", "/secrets"]) {
        const answer = await ask(token, "GET", `/api/runs/${id}${part}`);
        expect([part, answer.statusCode, answer.json().code]).toEqual([part, 404, "RUN_NOT_FOUND"]);
      }
      for (const action of ["cancel", "resume", "rerun"])
        expect((await ask(token, "POST", `/api/runs/${id}/${action}`, {})).statusCode).toBe(404);
    }
    expect((await ask(token, "GET", `/api/runs/${after}/events`)).statusCode).toBe(200);
    const listed = (await ask(token, "GET", "/api/runs?workflow=changed")).json();
    expect(listed.map(({ execution }: { execution: string }) => execution)).toEqual([after]);
  }
  expect((await ask(runner, "GET", `/api/runs/${resumed}/secrets`)).body).toContain("HIDDEN");
});

describe("an Idempotency-Key", () => {
  const start = async (token: string, workflow: string, key: string) => {
    const options = { payload: { workflow }, headers: { "idempotency-key": key } };
    const answer = await call(place.app, "POST", "/api/runs", token, options);
    return { status: answer.statusCode, run: answer.json().execution as string | undefined };
  };

  it("of one token gives another one nothing of its run", async () => {
    const first = await start(admin, "hidden", "k1");
    expect(await start(admin, "hidden", "k1")).toEqual(first);
    expect((await start(runner, "hidden", "k1")).run).not.toBe(first.run);
    expect(await start(narrowed, "hidden", "k1")).toEqual({ status: 404, run: undefined });
    expect((await start(narrowed, "seen", "k1")).run).not.toBe(first.run);
  });

  it("of a JWT is none of another subject, whatever characters that has", async () => {
    const rest = { name: null, roles: ["admin"], permissions: new Set(ROLES["admin"]), expiresAt: null } as const;
    const app = await place.serve({
      runs: serveRuns({ engine: place.engine, runs: place.runs, workflows: null }),
      jwt: async (text) => ({ ...rest, kind: "jwt", id: text.replaceAll(".", " ").trim(), prefixes: null, tags: null }),
    });
    const workflow = `{ apiVersion: v1, id: text, tasks: [${say("hi")}] }`;
    const as = async (subject: string, key: string) => {
      const options = { payload: { workflow }, headers: { "idempotency-key": key } };
      return (await call(app, "POST", "/api/runs", subject, options)).json().execution;
    };
    const first = await as("ada.b.", "c");
    expect(first).toEqual(expect.any(String));
    expect(await as("ada.b.", "c")).toBe(first);
    expect(await as("ada..", "b c")).not.toBe(first);
  });

  it("of another request is refused, and starts nothing", async () => {
    const inputs = { b: "2", a: "1" };
    const send = async (workflow: string, given: Record<string, string>, token = admin) => {
      const options = { payload: { workflow, inputs: given }, headers: { "idempotency-key": "k2" } };
      const answer = await call(place.app, "POST", "/api/runs", token, options);
      return [answer.statusCode, answer.json().code ?? answer.json().execution];
    };
    const text = (tasks: string) =>
      `{ apiVersion: v1, id: asks, inputs: { a: { type: string }, b: { type: string } }, tasks: [${tasks}] }`;
    const first = await send(text(say("hi")), inputs);
    expect(first).toEqual([202, expect.any(String)]);
    const before = (await call(place.app, "GET", "/api/runs", admin)).json().length;
    const refused = [422, "IDEMPOTENCY_KEY_REUSED"];
    expect(await send(text(say("hi")), { ...inputs, a: "2" })).toEqual(refused);
    expect(await send(text(say("ho")), inputs)).toEqual(refused);
    expect(await send("seen", {})).toEqual(refused);
    // The same one, written in another order; and the key of another token.
    expect(await send(text(say("hi")), { a: "1", b: "2" })).toEqual(first);
    expect(await send("seen", {}, runner)).toEqual([202, expect.any(String)]);
    expect((await call(place.app, "GET", "/api/runs", admin)).json().length).toBeLessThanOrEqual(before + 1);
  });
});

it("a page of runs is full for a narrowed token, whatever is hidden between", async () => {
  const first = await run("seen");
  for (let index = 0; index < 3; index++) await run("hidden");
  const last = await run("seen");
  const page = async (after: string) => (await ask(narrowed, "GET", `/api/runs?limit=1${after}`)).json();
  expect(await page("")).toMatchObject([{ execution: last }]);
  expect(await page(`&after=${last}`)).toMatchObject([{ execution: first }]);
});

it("a file that is broken now is told to a narrowed token without its lines", async () => {
  const path = join(place.workflows, "seen.yaml");
  writeFileSync(path, `{ apiVersion: v1, id: seen, secrets: [HIDDEN], tsks: [] }`);
  const read = async (token: string) => (await ask(token, "GET", "/api/workflows")).body;
  await expect.poll(async () => await read(narrowed)).toContain("it cannot be used as it is now");
  expect(await read(narrowed)).not.toMatch(/HIDDEN|tsks/);
  expect(await read(runner)).toContain("tsks");
  writeFileSync(path, `{ apiVersion: v1, id: seen, secrets: [CI_SEEN], tasks: [${say("hi")}] }`);
});

describe("W4: values", () => {
  it("of secret inputs and secrets are in no answer, log or notice", async () => {
    const password = "canary-of-the-input";
    const execution = await run("asks", { password });
    const bodies = [
      ...["", "/events"].map((path) => `/api/runs/${execution}${path}`),
      `/api/runs/${hiddenRun}/events`,
      "/api/runs",
      "/api/workflows",
    ].map(async (path) => (await ask(admin, "GET", path)).body);
    const wrong = await ask(admin, "POST", "/api/runs", { workflow: "asks", inputs: { pasword: password } });
    expect(wrong.statusCode).toBe(400);
    const all = [...(await Promise.all(bodies)), wrong.body, ...place.log, ...place.notices].join("\n");
    expect(all).not.toMatch(/canary-of-the-input|value of/);
    expect(all).toContain("***SECRET***");
  });
});

describe("runs that are resumed twice at once", () => {
  it("go on once", async () => {
    const id = await run("fails");
    const answers = await Promise.all(
      Array.from({ length: 5 }, async () => await ask(admin, "POST", `/api/runs/${id}/resume`, {})),
    );
    const statuses = answers.map(({ statusCode }) => statusCode);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([202, 409, 409, 409, 409]);
    await ended(id);
  });
});

describe("webhooks", () => {
  function sign(id: string, body: string, key = "value of CI_HOOK", seconds = 0) {
    const timestamp = String(Math.floor(Date.now() / 1000) - seconds);
    const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  }
  let address = 0;
  const send = async (workflow: string, body: string, headers: Record<string, string>, remoteAddress?: string) =>
    await place.app.inject({
      method: "POST",
      url: `/api/hooks/${workflow}`,
      payload: body,
      remoteAddress: remoteAddress ?? `10.0.0.${++address}`,
      headers: { host: "localhost", ...headers },
    });

  it("are refused alike: no such workflow, no webhook, a wrong signature, a secret that is not there", async () => {
    const answers = await Promise.all(
      ["nothing", "seen", "hook", "gone"].map(async (workflow) => {
        const start = performance.now();
        const answer = await send(workflow, "{}", sign("m0", "{}", "another key"));
        const { requestId: _, ...body } = answer.json();
        return { status: answer.statusCode, body, isHeld: performance.now() - start >= 240 };
      }),
    );
    expect(answers[0]).toMatchObject({ status: 401, isHeld: true });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(place.notices.join()).toContain("a webhook for 'gone' cannot be verified");
  });

  it.each([
    ["JSON", "application/json", '{"a":1}'],
    ["text", "text/plain", "hello"],
    ["a form", "application/x-www-form-urlencoded", "a=b"],
    ["another charset", "application/json; charset=utf-16", "{}"],
    ["no type", "", "{}"],
    ["nothing", "", ""],
    ["reserved keys", "application/json", '{"__proto__":{"polluted":1}}'],
    ["no UTF-8", "application/octet-stream", "\uFFFD"],
  ])("take %s that is signed", async (name, type, body) => {
    const headers = {
      ...sign(`type ${name}`.replaceAll(" ", "-"), body),
      ...(type !== "" && { "content-type": type }),
    };
    const answer = await send("hook", body, headers);
    expect([answer.statusCode, answer.body]).toEqual([202, expect.any(String)]);
    const { execution } = answer.json();
    await ended(execution);
    expect((await ask(admin, "GET", `/api/runs/${execution}`)).json()).toMatchObject({ status: "success" });
  });

  it.each([
    ["a key twice", '{"a":1,"a":2}'],
    ["a number that loses digits", "12345678901234567890.5"],
    ["many levels", "[".repeat(20_000) + "]".repeat(20_000)],
  ])("do not start with %s", async (name, body) => {
    const answer = await send("hook", body, sign(name.replaceAll(" ", "-"), body));
    expect([answer.statusCode, answer.json().code]).toEqual([400, "INPUT_INVALID"]);
  });

  it("of more than 1 MiB, compressed, or by another method are not taken", async () => {
    const large = "x".repeat(1024 * 1024 + 1);
    expect((await send("hook", large, sign("large", large))).statusCode).toBe(413);
    expect((await send("hook", "{}", { ...sign("zip", "{}"), "content-encoding": "gzip" })).statusCode).toBe(415);
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const answer = await place.app.inject({
        method: method as "GET",
        url: "/api/hooks/hook",
        headers: { host: "localhost" },
      });
      expect([401, 405]).toContain(answer.statusCode);
      expect(answer.body).not.toContain("execution");
    }
  });

  it("start once for each message, and not after its time", async () => {
    const again = sign("again", "{}");
    const answers = [await send("hook", "{}", again), await send("hook", "{}", again)];
    expect(answers[0]?.json()).toEqual(answers[1]?.json());
    const late = await send("hook", "{}", sign("late", "{}", "value of CI_HOOK", 400));
    expect([late.statusCode, late.json().detail]).toEqual([401, expect.stringContaining("5 minutes")]);
  });

  it("ask for no secret once an address was refused too often", async () => {
    const receive = vi.spyOn(place.runs, "receive").mockImplementation(async () => {
      const { notSigned } = await import("../src/webhook.ts");
      throw notSigned("refused");
    });
    const app = await place.serve({
      refusedPerMinute: 3,
      runs: serveRuns({
        engine: place.engine,
        workflows: {
          files: () => [],
          get: () => ({}) as never,
          refresh: async () => undefined,
          close: () => undefined,
        },
        runs: place.runs,
      }),
    });
    const statuses: number[] = [];
    for (let index = 0; index < 6; index++) {
      const url = "/api/hooks/hook";
      statuses.push((await app.inject({ method: "POST", url, headers: { host: "localhost" } })).statusCode);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
    expect(receive).toHaveBeenCalledTimes(3);
    receive.mockRestore();
  });
});

it("a history that cannot be read ends no server", async () => {
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => failures.push(error);
  process.on("unhandledRejection", onFailure);
  const broken = await createRunsPlace(
    {
      "missing.yaml": `{ apiVersion: v1, id: missing, secrets: [NOT_THERE], tasks: [${say("{{ secrets.NOT_THERE }}")}] }`,
    },
    {
      wrap: (engine) => ({
        ...engine,
        history: { ...engine.history, list: async () => await Promise.reject(new Error("SQLITE_CORRUPT")) },
      }),
    },
  );
  const { execution } = (
    await call(broken.app, "POST", "/api/runs", await broken.token("runner"), { payload: { workflow: "missing" } })
  ).json();
  await broken.ended(execution);
  expect(broken.notices.join()).toMatch(/was not started.*is not recorded/s);
  await broken.close();
  process.off("unhandledRejection", onFailure);
  expect(failures).toEqual([]);
});

import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { parseYaml } from "@autokestra/config/yaml";
import { defineAction, definePlugin, TaskError, z } from "@autokestra/plugin-sdk";
import type { RunEvent } from "@autokestra/runs";
import type { FoundSecret } from "@autokestra/secrets-core";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkWorkflow, corePlugins, loadWorkflow, runWorkflow, WorkflowError } from "../src/index.ts";

const FOLDER = fileURLToPath(new URL("workflows/", import.meta.url));

/** What a file in `workflows/` says about itself, in a comment at its end that begins with `# expected`. */
interface Expected {
  readonly inputs?: Readonly<Record<string, string>>;
  /** Milliseconds after which the run is cancelled. */
  readonly cancelAfter?: number;
  readonly status?: string;
  readonly cancelledBy?: string;
  /** The status of each task, in order. */
  readonly tasks?: Readonly<Record<string, string>>;
  readonly outputs?: unknown;
  /** Log lines that are there. */
  readonly logs?: readonly string[];
  /** Parts of errors, by task. */
  readonly errors?: Readonly<Record<string, string>>;
  /** Parts of the problems that stop it before it runs. */
  readonly refused?: readonly string[];
}

const SECRETS: Readonly<Record<string, FoundSecret>> = {
  TOKEN: { type: "apiKey", fields: { value: "s3cret-t0ken-value" }, expiresAt: null },
  DB: { type: "basicAuth", fields: { username: "app-user", password: "db-p4ssword-x" }, expiresAt: null },
};

function expectedOf(source: string): Expected {
  const comment = source
    .slice(source.indexOf("\n# expected") + 1)
    .split("\n")
    .slice(1);
  const yaml = comment.map((line) => line.replace(/^# ?/, "")).join("\n");
  return parseYaml(yaml, (message) => ({ code: "WORKFLOW_INVALID", message, position: undefined, hint: undefined }))
    .data as Expected;
}

let failures = 0;
const input = z.record(z.string(), z.unknown());
const plugin = definePlugin({
  name: "test/do",
  actions: {
    echo: defineAction({ input, run: (given) => given }),
    fail: defineAction({
      input,
      run({ message, code, status, retryable }) {
        throw new TaskError({
          message: typeof message === "string" ? message : "no",
          code: typeof code === "string" ? code : "TASK_FAILED",
          ...(typeof status === "number" && { status }),
          retryable: retryable !== false,
        });
      },
    }),
    flaky: defineAction({
      input,
      run({ times, status }) {
        failures += 1;
        if (failures <= Number(times))
          throw new TaskError({ message: "not yet", ...(typeof status === "number" && { status }) });
        return { attempts: failures };
      },
    }),
    wait: defineAction({
      input,
      run: async ({ ms }, { signal }) =>
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, Number(ms));
          signal.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(new Error("stopped"));
          });
        }),
    }),
  },
});
const plugins = [...corePlugins, plugin];
const sources = [
  {
    id: "table",
    async lookup(name: string) {
      const secret = SECRETS[name];
      return secret === undefined ? ({ status: "notFound" } as const) : ({ status: "found", secret } as const);
    },
  },
];

describe("workflows with expected outcomes", () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const status = Number(request.url?.split("/")[1] ?? 200);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          items: ["a", "b"],
          access_token: "fresh-access-token-1",
          auth: request.headers.authorization,
        }),
      );
    });
    url = await listen(server);
  });
  afterAll(() => void server.close());

  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

  it("are at least thirty", () => expect(files.length).toBeGreaterThanOrEqual(30));

  it.each(files)("%s", async (name) => {
    failures = 0;
    const path = FOLDER + name;
    const expected = expectedOf(readFileSync(path, "utf8"));
    const events: RunEvent[] = [];
    const { problems } = await checkWorkflow(path, { sources, plugins });
    const errors = problems.filter(({ severity }) => severity === "error");
    const controller = new AbortController();
    const sink = (event: RunEvent): void => {
      events.push(event);
      if (event.event === "run.started" && expected.cancelAfter !== undefined) {
        setTimeout(() => controller.abort(), expected.cancelAfter);
      }
    };
    const given = Object.fromEntries(
      Object.entries(expected.inputs ?? {}).map(([key, text]) => [key, text.replace("URL", url)]),
    );
    try {
      const finished = await runWorkflow(await loadWorkflow(path), {
        sources,
        plugins,
        sink,
        inputs: given,
        signal: controller.signal,
      });
      expect(expected.refused).toBeUndefined();
      expect(errors).toEqual([]);
      expect(finished.status).toBe(expected.status ?? "success");
      expect(finished.cancelledBy).toBe(expected.cancelledBy);
      const statuses = Object.fromEntries(Object.entries(finished.tasks).map(([id, { status }]) => [id, status]));
      expect(Object.entries(statuses)).toEqual(Object.entries(expected.tasks ?? {}));
      expect(finished.outputs).toEqual(expected.outputs);
      for (const [id, part] of Object.entries(expected.errors ?? {}))
        expect(finished.tasks[id]?.error?.message).toContain(part);
    } catch (error) {
      if (!(error instanceof WorkflowError)) throw error;
      expect(expected.refused, error.format()).toBeDefined();
      for (const part of expected.refused ?? [])
        expect(errors.map(({ message }) => message).join("\n")).toContain(part);
    }
    const logs = events.flatMap((event) => (event.event === "task.log" ? [event.message] : []));
    expect(logs).toEqual(expect.arrayContaining([...(expected.logs ?? [])]));
    const out = JSON.stringify(events);
    for (const secret of ["s3cret-t0ken-value", "db-p4ssword-x", "fresh-access-token-1"])
      expect(out).not.toContain(secret);
  });
});

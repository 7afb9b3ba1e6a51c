/**
 * A program that runs one workflow with a hostile plugin, in a process of its own: `node plugin-host.js TASKS HISTORY`. It prints each
 * event as a line of JSON, and what `runWorkflow` has returned.
 */
import { type ActionContext, defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import { openRunHistory } from "@autokestra/runs";
import { openSecrets } from "@autokestra/secrets";
import { parseWorkflow, runWorkflow } from "../../src/index.ts";

const SECRET = "host-secret-4711";
const forever = () => new Promise<never>(() => undefined);
const sleep = async (milliseconds: number) => await new Promise((resolve) => setTimeout(resolve, milliseconds));

function rejectUnheard(message: string): void {
  void Promise.reject(new Error(message));
}

const runs: Readonly<Record<string, (given: unknown, context: ActionContext) => unknown>> = {
  never: forever,
  exit: () => process.exit(0),
  "exit-later": async () => {
    setTimeout(() => process.exit(3), 20);
    await forever();
  },
  "exit-code": () => {
    process.exitCode = 0;
    process.removeAllListeners("exit");
    process.on("exit", () => {
      process.exitCode = 0;
    });
    process.exit();
  },
  kill: async () => {
    process.kill(process.pid);
    await forever();
  },
  "kill-hard": async () => {
    process.kill(process.pid, "SIGKILL");
    await forever();
  },
  "late-rejection": async () => {
    setTimeout(() => rejectUnheard(`late ${SECRET}`), 10);
    await sleep(100);
  },
  "late-exception": async () => {
    setTimeout(() => {
      throw new TypeError(`late ${SECRET}`);
    }, 10);
    await sleep(100);
  },
  floating: () => {
    rejectUnheard(`late ${SECRET}`);
    return 1;
  },
  afterwards: () => {
    setTimeout(() => rejectUnheard(`late ${SECRET}`), 100);
    return 1;
  },
  environment: () => process.env["AUTOKESTRA_SECRET_KEY"] ?? "no key",
  talk: async (_given, { log }) => {
    log.info("hello");
    await sleep(400);
  },
  slow: async () => await sleep(400),
  ok: () => 1,
};

const input = z.record(z.string(), z.unknown());
const actions = Object.fromEntries(Object.entries(runs).map(([name, run]) => [name, defineAction({ input, run })]));
const plugins = [definePlugin({ name: "test/host", actions })];

const [tasks = "", historyPath = "", ...flags] = process.argv.slice(2);
if (flags.includes("keep")) await openSecrets({ keepInEnvironment: true, create: false });
const history = await openRunHistory({ path: historyPath });
const record = history.recorder((error) => console.error(error.message));
const parsed = parseWorkflow(`apiVersion: v1\nid: w\nsecrets: [S]\ntasks:\n${tasks}`, "w.yaml");
const secret = { type: "apiKey", fields: { value: SECRET }, expiresAt: null } as const;
const finished = await runWorkflow(parsed, {
  sources: [{ id: "host", lookup: async () => ({ status: "found", secret }) }],
  plugins,
  sink(event) {
    record(event);
    console.log(JSON.stringify(event));
    // In a sink, which an action has called: it is the program's error all the same.
    const isOwnError = flags.includes("own-error") && event.event === "task.log";
    if (isOwnError) setTimeout(() => rejectUnheard("the program's own"), 10);
  },
});
console.log(JSON.stringify({ returned: finished.status }));
if (flags.includes("wait")) await sleep(300);
await history.close();

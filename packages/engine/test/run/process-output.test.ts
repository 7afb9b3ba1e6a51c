import { Console } from "node:console";
import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { defineAction, z } from "@autokestra/plugin-sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { logged, tryRun, warned } from "./try-run.ts";

const MASK = "***SECRET***";
const TOKEN = "s3cret-t0ken-välue";
const OTHER = "an0ther-s3cret-value";
const secrets = { TOKEN: { type: "apiKey", fields: { value: TOKEN } } } as const;
const input = z.record(z.string(), z.unknown());

/** What the process has printed, on its way to the system. */
let printed: Record<"stdout" | "stderr", string>;
let takes: boolean;
const mine = new Map<"stdout" | "stderr", unknown>();

beforeEach(() => {
  printed = { stdout: "", stderr: "" };
  takes = true;
  for (const name of ["stdout", "stderr"] as const) {
    const write = (chunk: unknown, ...rest: unknown[]) => {
      if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) throw new TypeError("no chunk");
      printed[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("latin1");
      const callback = rest.find((argument) => typeof argument === "function");
      if (callback !== undefined) process.nextTick(callback);
      return takes;
    };
    mine.set(name, write);
    Object.assign(process[name], { write });
  }
});

afterEach(async () => {
  // The values of a run are forgotten a moment after its end: until then its output would be that of the next one, too.
  for (const [name, write] of mine) await expect.poll(() => Reflect.get(process[name], "write")).toBe(write);
  for (const name of ["stdout", "stderr"] as const) Reflect.deleteProperty(process[name], "write");
});

/** Runs an action that prints, with its secret as `text`. */
async function printing(print: (text: string) => unknown, options: Parameters<typeof tryRun>[1] = {}) {
  const actions = {
    print: defineAction({ input, run: async ({ text }) => void (await print(String(text))) }),
    ...options.actions,
  };
  return await tryRun('  - { id: a, type: test/do.print, inputs: { text: "{{ secrets.TOKEN }}" } }', {
    secrets,
    maskProcessOutput: { keepSeconds: 0 },
    ...options,
    actions,
  });
}

const own = new Console(process.stdout, process.stderr);
const bytes = (text: string) => Buffer.from(text);

function writeBytes(buffer: Buffer): void {
  for (const byte of buffer) process.stdout.write(Buffer.of(byte));
}

/** Something that is waited for until it is opened. */
function createGate() {
  const gate = new EventEmitter();
  return { opened: once(gate, "open"), open: () => void gate.emit("open") };
}

describe("KM6: what a plugin prints itself", () => {
  it.each<[string, "stdout" | "stderr", (text: string) => unknown, string]>([
    ["console.log", "stdout", (text) => own.log("a %s", text, { text }), `a ${MASK} { text: '${MASK}' }\n`],
    ["console.error", "stderr", (text) => own.error(new Error(text).message), `${MASK}\n`],
    ["console.table", "stdout", (text) => own.table([[text]]), MASK],
    ["write", "stdout", (text) => process.stdout.write(`a ${text} b`), `a ${MASK} b`],
    ["write to stderr", "stderr", (text) => process.stderr.write(text), MASK],
    ["an encoding", "stdout", (text) => process.stdout.write(bytes(text).toString("hex"), "hex"), MASK],
    ["an encoding and a callback", "stdout", (text) => process.stdout.write(text, "utf8", () => undefined), MASK],
    ["base64", "stdout", (text) => process.stdout.write(bytes(text).toString("base64")), MASK],
    ["a Buffer", "stdout", (text) => process.stdout.write(bytes(text)), MASK],
    [
      "a DataView",
      "stdout",
      (text) => process.stdout.write(new DataView(Uint8Array.from(bytes(text)).buffer) as never),
      MASK,
    ],
    ["single bytes", "stdout", (text) => writeBytes(bytes(text)), MASK],
    ["end", "stdout", (text) => void process.stdout.end(text), MASK],
    [
      "a reused Buffer",
      "stdout",
      (text) => {
        const buffer = bytes(text);
        process.stdout.write(buffer.subarray(0, 5));
        buffer.copyWithin(0, 5);
        process.stdout.write(buffer.subarray(0, buffer.length - 5));
      },
      MASK,
    ],
  ])("%s", async (_, stream, print, expected) => {
    await printing(print);
    expect(printed[stream]).toContain(expected);
    expect(printed.stdout + printed.stderr).not.toMatch(/s3cret-t0ken/);
    expect([process.stdout.writable, process.stdout.writableEnded]).toEqual([true, false]);
  });

  it("counts, so that nothing masked goes unnoticed", async () => {
    const { finished } = await printing((text) => process.stdout.write(text));
    expect(finished.masked).toEqual({ TOKEN: { count: 1, variants: ["value"] } });
  });

  it("keeps the return value and the callback of write", async () => {
    const results: unknown[] = [];
    await printing(async (text) => {
      takes = false;
      results.push(process.stdout.write("full\n"));
      takes = true;
      results.push(process.stdout.write("taken\n"));
      // Held back as a whole: there is nothing to wait for.
      results.push(await new Promise((resolve) => process.stdout.write(text.slice(0, 6), resolve)));
      results.push(await new Promise((resolve) => process.stdout.write(text.slice(6), "utf8", () => resolve("done"))));
    });
    expect(results).toEqual([false, true, undefined, "done"]);
    expect(printed.stdout).toBe(`full\ntaken\n${MASK}`);
  });

  it("refuses what the stream refuses", async () => {
    const { finished } = await printing(() => process.stdout.write(7 as never));
    expect(finished.tasks["a"]?.error).toMatchObject({ name: "TypeError", message: "no chunk" });
  });

  it("masks a value of another run that is open", async () => {
    const start = createGate();
    const end = createGate();
    const first = printing(
      async () => {
        start.open();
        await end.opened;
        process.stdout.write("last ");
        process.stdout.write(OTHER);
      },
      { secrets: { TOKEN: { type: "apiKey", fields: { value: OTHER } } } },
    );
    await start.opened;
    const second = await printing((text) => process.stdout.write(`${text} ${OTHER}\n`));
    await sleep(5);
    end.open();
    const { finished } = await first;
    expect(printed.stdout).toBe(`${MASK} ${MASK}\nlast ${MASK}`);
    expect(finished.masked).toEqual({ TOKEN: { count: 2, variants: ["value"] } });
    expect(second.finished.masked).toEqual({ TOKEN: { count: 1, variants: ["value"] } });
  });

  it("does not let go of a value that is cut in two by the end of another run", async () => {
    const end = createGate();
    const first = printing(async (text) => {
      process.stdout.write(text.slice(0, 7));
      await end.opened;
      process.stdout.write(text.slice(7));
    });
    await printing(() => process.stdout.write(""), {
      secrets: { TOKEN: { type: "apiKey", fields: { value: OTHER } } },
    });
    await sleep(5);
    end.open();
    await first;
    expect(printed.stdout).toBe(MASK);
  });

  it("masks what is printed later, until the values are forgotten", async () => {
    const over = createGate();
    let late = Promise.resolve();
    await printing(
      (text) => {
        late = over.opened.then(() => void process.stdout.write(`late ${text}\n`));
      },
      { maskProcessOutput: { keepSeconds: 0.2 } },
    );
    over.open();
    await late;
    expect(printed.stdout).toBe(`late ${MASK}\n`);
    await expect.poll(() => Object.getOwnPropertyDescriptor(process.stdout, "write")?.value).toBe(mine.get("stdout"));
    process.stdout.write("as it was");
    expect(printed.stdout).toContain("as it was");
  });

  it("goes where the program says", async () => {
    const written: string[] = [];
    const results: unknown[] = [];
    const write = (stream: string, chunk: Uint8Array) =>
      void written.push(`${stream}: ${Buffer.from(chunk).toString()}`);
    await printing(
      async (text) => {
        results.push(process.stdout.write(`one ${text}\n`));
        await new Promise<void>((resolve) => process.stderr.write("two\n", () => resolve()));
        process.stdout.write(text.slice(0, 7));
      },
      { maskProcessOutput: { keepSeconds: 0, write } },
    );
    expect(written).toEqual([`stdout: one ${MASK}\n`, "stderr: two\n", "stdout: s3cret-"]);
    expect([results, printed]).toEqual([[true], { stdout: "", stderr: "" }]);
  });

  it("leaves the streams alone where the program says so", async () => {
    const { finished } = await printing((text) => process.stdout.write(text), { maskProcessOutput: false });
    expect(Buffer.from(printed.stdout, "latin1").toString()).toContain("s3cret-t0ken");
    expect(finished.masked).toEqual({});
  });

  it("does not mask twice what the sink prints", async () => {
    const outcome = await tryRun('  - { id: run, type: core/console.log, inputs: { message: "{{ secrets.S }}" } }', {
      secrets: { S: { type: "apiKey", fields: { value: "task" } } },
      maskProcessOutput: { keepSeconds: 0 },
      sink: (event) => void process.stdout.write(`${event.event}\n`),
    });
    expect(printed.stdout).toBe("run.started\ntask.started\ntask.log\ntask.finished\nrun.finished\n");
    expect(outcome.finished.masked).toEqual({ S: { count: 1, variants: ["value"] } });
  });

  it("reaches what a worker thread prints", async () => {
    await printing(async (text) => {
      const worker = new Worker("process.stdout.write(require('node:worker_threads').workerData)", {
        eval: true,
        workerData: text,
      });
      await once(worker, "exit");
    });
    expect(printed.stdout).toBe(MASK);
  });
});

describe("KM6: as log lines", () => {
  const log = { as: "log", keepSeconds: 0 } as const;

  it("become events of the task that has printed them", async () => {
    const outcome = await printing(
      async (text) => {
        own.log(`one ${text}`);
        own.error("two\r\nthree");
        writeBytes(bytes(`four ${text}`));
        await sleep(1);
        process.stdout.write(" five");
      },
      { maskProcessOutput: log },
    );
    const events = outcome.events.flatMap((event) => (event.event === "task.log" ? [event] : []));
    expect(events.map(({ task, level, message, data }) => ({ task, level, message, data }))).toEqual([
      { task: "a", level: "info", message: `one ${MASK}`, data: { stream: "stdout" } },
      { task: "a", level: "warn", message: "two", data: { stream: "stderr" } },
      { task: "a", level: "warn", message: "three", data: { stream: "stderr" } },
      { task: "a", level: "info", message: `four ${MASK} five`, data: { stream: "stdout" } },
    ]);
    expect(printed).toEqual({ stdout: "", stderr: "" });
    expect(outcome.finished.masked["TOKEN"]?.count).toBe(2);
  });

  it("go to standard error where no task has printed them, or the run is over", async () => {
    const over = createGate();
    let late = Promise.resolve();
    const outcome = await printing(
      (text) => {
        late = over.opened.then(() => void process.stdout.write(`late ${text}\n`));
      },
      { maskProcessOutput: { as: "log", keepSeconds: 0.2 } },
    );
    process.stdout.write("nobody's\n");
    over.open();
    await late;
    expect(printed).toEqual({ stdout: "", stderr: `nobody's\nlate ${MASK}\n` });
    expect(outcome.events.at(-1)?.event).toBe("run.finished");
  });

  it("do not go round in circles where the sink prints", async () => {
    await printing(() => own.log("once"), {
      maskProcessOutput: log,
      sink: (event) => void (event.event === "task.log" && process.stdout.write(event.message)),
    });
    expect(printed.stdout).toBe("once");
  });

  it("are cut where no line ends", async () => {
    const outcome = await printing(() => process.stdout.write("x".repeat(200_000)), { maskProcessOutput: log });
    expect(logged(outcome).join("")).toHaveLength(200_000);
    expect(Math.max(...logged(outcome).map((line) => line.length))).toBeLessThanOrEqual(200_000);
  });
});

describe.each([
  ["text", { keepSeconds: 0 }],
  ["log", { as: "log", keepSeconds: 0 }],
] as const)("KM4: what a task with secretOutputs prints, as %s", (_, maskProcessOutput) => {
  const tasks = "  - { id: a, type: test/do.login, secretOutputs: [token] }";
  const login = (fails: boolean) =>
    defineAction({
      input,
      run() {
        process.stdout.write(`got ${OTHER}\n`);
        if (fails) throw new Error("no");
        return { token: OTHER };
      },
    });

  it("is held until its output is there", async () => {
    const outcome = await tryRun(tasks, { actions: { login: login(false) }, maskProcessOutput });
    expect(printed.stdout + logged(outcome).join("\n")).toMatch(/^got \*\*\*SECRET\*\*\*\n?$/);
  });

  it("is forgotten where it fails", async () => {
    const outcome = await tryRun(tasks, { actions: { login: login(true) }, maskProcessOutput });
    expect([printed.stdout, logged(outcome)]).toEqual(["", []]);
    expect(warned(outcome).join()).toContain("25 bytes that task 'a' has logged or printed are not shown");
  });
});

// @ts-check
// The actions of the contract of actions: a file without types, because Node.js 20 runs it in a process of its own.
import { defineAction, definePlugin, TaskError, z } from "@autokestra/plugin-sdk";

const anything = z.record(z.string(), z.unknown());
const forever = () => new Promise(() => undefined);
/** @param {number} milliseconds */
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @param {unknown} error */
function rejectUnheard(error) {
  void (async () => {
    throw error;
  })();
}

/** @param {import("@autokestra/plugin-sdk").Action["run"]} run */
const action = (run) => defineAction({ input: anything, run });

/** @type {import("@autokestra/plugin-sdk").Action} */
const typed = defineAction({
  description: "Has schemas.",
  input: z.strictObject({
    name: z.string(),
    times: z.int().min(1).default(2),
    password: z.string().meta({ secret: true }).optional(),
    even: z
      .number()
      .refine((value) => value % 2 === 0, { params: { expected: "an even number" } })
      .optional(),
  }),
  output: z.object({ text: z.string() }),
  run: ({ name, times }) => ({ text: name.repeat(times), dropped: 1 }),
});

export const plugin = definePlugin({
  name: "test/contract",
  actions: {
    typed,
    echo: action((input) => input),
    "wrong-output": defineAction({ input: anything, output: z.string(), run: () => /** @type {never} */ (7) }),
    kinds: action(() => ({
      map: new Map([["a", 1]]),
      set: new Set([1]),
      big: 12345678901234567890n,
      date: new Date(0),
      error: Object.assign(new RangeError("inner"), { stack: "" }),
      bytes: Buffer.from("ab"),
      none: undefined,
    })),
    nothing: action(() => undefined),
    circle: action(() => {
      /** @type {Record<string, unknown>} */
      const value = {};
      value["self"] = value;
      return value;
    }),
    getter: action(() => ({
      get broken() {
        throw new Error("getter");
      },
    })),
    talk: action((input, { log }) => {
      log.debug("one", { input });
      log.info("two");
      log.warn("three", { map: new Map([["a", 1n]]) });
      /** @type {Record<string, unknown>} */
      const circle = {};
      circle["self"] = circle;
      log.error("four", circle);
    }),
    mask: action((_input, { log, mask }) => {
      mask({ token: "fresh-token-4711" }, "session");
      mask(Buffer.from("fresh-bytes-4711"));
      log.info(`fresh-token-4711 and ${Buffer.from("fresh-bytes-4711").toString("hex")}`);
      return { token: "fresh-token-4711" };
    }),
    "mask-nothing": action((_input, { mask }) => mask(undefined)),
    "mask-name": action((_input, { mask }) => mask("some-value-1", "a name!")),
    print: action((_input, { print }) => {
      print("stdout", Buffer.from("printed-se"));
      print("stdout", Buffer.from("cret-4711\nrest"));
    }),
    facts: action((_input, { task, execution, idempotencyKey, signal }) => {
      const isOfTask = idempotencyKey === `${execution.id}:${task.id}`;
      return { task, execution, isOfTask, aborted: signal.aborted };
    }),
    throw: action(() => {
      throw new TypeError("plain failure");
    }),
    "throw-secret": action((input) => {
      throw new Error(`refused ${JSON.stringify(input)}`);
    }),
    "throw-text": action(() => {
      throw "a text";
    }),
    "throw-nothing": action(() => {
      throw undefined;
    }),
    "throw-function": action(() => {
      throw () => 1;
    }),
    "throw-hostile": action(() => {
      throw new Proxy(
        {},
        {
          get() {
            throw new Error("trap");
          },
          getPrototypeOf() {
            throw new Error("trap");
          },
        },
      );
    }),
    "throw-cause": action(() => {
      throw new Error("fetch failed", { cause: { code: "ECONNREFUSED" } });
    }),
    "throw-json": action(() => JSON.parse("{nope")),
    "task-error": action(() => {
      throw new TaskError({
        message: "full",
        code: "MAILBOX_FULL",
        retryable: false,
        retryAfterSeconds: 7,
        status: 503,
      });
    }),
    late: action(async () => {
      setTimeout(() => rejectUnheard(new Error("late rejection")), 5);
      await forever();
    }),
    exception: action(async () => {
      setTimeout(() => {
        throw new Error("late exception");
      }, 5);
      await forever();
    }),
    floating: action(() => rejectUnheard(new Error("floating"))),
    afterwards: action(() => {
      setTimeout(() => rejectUnheard(new Error("after the end")), 300);
    }),
    wait: action((input) => sleep(Number(input["ms"]))),
    polite: action(async (_input, { signal, log }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      log.info(`aborted by ${signal.reason.name}`);
      signal.throwIfAborted();
    }),
    deaf: action(async (_input, { log }) => {
      log.info(String(process.pid));
      await forever();
    }),
    "secret-output": defineAction({
      input: anything,
      output: z.object({ session: z.object({ token: z.string().meta({ secret: true }) }) }),
      run(_input, { log }) {
        log.info("the token is born-in-output-1");
        return { session: { token: "born-in-output-1" } };
      },
    }),
    // Only in a process of its own.
    exit: action(() => process.exit(3)),
    loop: action((_input, { log }) => {
      log.info(String(process.pid));
      for (;;);
    }),
    heap: action(() => {
      const block = Array.from({ length: 1e6 }).fill(0);
      const held = [];
      for (;;) held.push(block.slice());
    }),
    console: action(async (input) => {
      console.log("out", input["text"]);
      console.error("err", input["text"]);
    }),
    raw: action(async (input) => {
      const { writeSync } = await import("node:fs");
      for (const character of `raw ${input["text"]}\n`) writeSync(1, character);
      await sleep(50);
    }),
    "long-log": action((_input, { log }) => log.info("x".repeat(2 ** 21))),
    "large-output": action(() => "x".repeat(2 ** 25)),
    flood: action(async () => {
      const { writeSync } = await import("node:fs");
      const text = Buffer.alloc(2 ** 20, "x");
      for (;;) writeSync(3, text);
    }),
    forge: action(async () => {
      const { writeSync } = await import("node:fs");
      writeSync(3, "no message\n");
      await forever();
    }),
    module: action(() => {
      const count = (Number(Reflect.get(globalThis, "count")) || 0) + 1;
      Reflect.set(globalThis, "count", count);
      return { count, pid: process.pid, environment: Object.keys(process.env) };
    }),
    number: defineAction({
      input: z.strictObject({ text: z.union([z.string(), z.number()]) }),
      textInputs: () => ["text"],
      run: () => 1,
    }),
  },
});

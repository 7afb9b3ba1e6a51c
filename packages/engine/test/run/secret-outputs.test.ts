import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
import { describe, expect, it } from "vitest";
import { parseWorkflow, WorkflowError } from "../../src/index.ts";
import { findSecretOutputs } from "../../src/run/secret-values.ts";
import { logged, tryRun, warned } from "./try-run.ts";

const MASK = "***SECRET***";
const ISSUED = "1ssued-t0ken-value";
const OTHER = "0ther-t0ken-value";
const input = z.record(z.string(), z.unknown());

let attempts = 0;
const actions = {
  login: defineAction({
    input,
    run(_, { log }) {
      log.info(`got ${ISSUED}`, { list: [ISSUED], bytes: Buffer.from(ISSUED) });
      console.log(`printed ${ISSUED}`);
      return { body: { access_token: ISSUED, items: [{ token: OTHER }, { token: OTHER }], none: [], expires: 3600 } };
    },
  }),
  plain: defineAction({ input, run: () => ISSUED }),
  map: defineAction({ input, run: () => new Map([["token", ISSUED]]) }),
  declared: defineAction({
    input,
    secretOutputs: ["token", "refresh"],
    run(_, { log }) {
      log.info(`got ${ISSUED}`);
      return { token: ISSUED };
    },
  }),
  fails: defineAction({
    input,
    run({ kind }, { log }) {
      log.info(`got ${ISSUED}`);
      if (kind === "task") throw new TaskError({ message: `no ${ISSUED}`, code: "DENIED", status: 403 });
      if (kind === "code") throw new TaskError({ message: "no", code: ISSUED, retryable: false });
      throw Object.assign(new RangeError(`no ${ISSUED}`), kind === "name" ? { name: ISSUED } : {});
    },
  }),
  second: defineAction({
    input,
    run(_, { log }) {
      attempts += 1;
      log.info(`attempt ${attempts} with ${attempts === 1 ? "an0ther-t0ken-that-failed" : ISSUED}`);
      if (attempts === 1) throw new Error("an0ther-t0ken-that-failed");
      return { body: { access_token: ISSUED } };
    },
  }),
  loud: defineAction({
    input,
    run(_, { log }) {
      for (let line = 0; line < 40; line += 1) log.info(`${line} ${ISSUED} ${"x".repeat(50_000)}`);
      return { body: { access_token: ISSUED } };
    },
  }),
  use: defineAction({
    input,
    run: ({ text }, { log }) => log.info(`used ${String(text)} ${Buffer.from(ISSUED).toString("base64")}`),
  }),
};

describe("KM4: secretOutputs", () => {
  it("are masked from before anything of the task is shown, and reach other tasks as they are", async () => {
    const seen: unknown[] = [];
    const keep = defineAction({ input, run: (given) => void seen.push(given) });
    const outcome = await tryRun(
      `
  - { id: login, type: test/do.login, secretOutputs: [body.access_token, "body.items.*.token", "body.none.*"] }
  - { id: use, type: test/do.use, needs: [login], inputs: { text: "{{ tasks.login.output.body.access_token }}" } }
  - { id: keep, type: test/do.keep, needs: [login], inputs: { text: "{{ tasks.login.output.body.access_token }}" } }`,
      { actions: { ...actions, keep } },
    );
    expect(seen).toEqual([{ text: ISSUED }]);
    expect(outcome.finished.tasks["login"]?.output).toEqual({
      body: { access_token: MASK, items: [{ token: MASK }, { token: MASK }], none: [], expires: 3600 },
    });
    expect(logged(outcome)).toEqual([`got ${MASK}`, `used ${MASK} ${MASK}`]);
    expect(warned(outcome)).toEqual([]);
    expect(Object.keys(outcome.finished.masked)).toContain("tasks.login.output.body.access_token");
    for (const text of [ISSUED, OTHER, Buffer.from(ISSUED).join(",")]) expect(outcome.out).not.toContain(text);
  });

  it("are named by an action, too; what it does not return is passed over", async () => {
    const outcome = await tryRun("  - { id: a, type: test/do.declared }", { actions });
    expect(outcome.finished.tasks["a"]?.output).toEqual({ token: MASK });
    expect([logged(outcome), warned(outcome)]).toEqual([[`got ${MASK}`], []]);
  });

  it.each<[string, string, unknown]>([
    ["plain", "*", MASK],
    ["map", "token", { token: MASK }],
  ])("are found in an output that is a %s", async (action, path, expected) => {
    const outcome = await tryRun(`  - { id: a, type: test/do.${action}, secretOutputs: ["${path}"] }`, { actions });
    expect(outcome.finished.tasks["a"]?.output).toEqual(expected);
  });

  it.each<[string, () => unknown]>([
    ["bytes", () => ({ token: Buffer.from(ISSUED) })],
    ["bytes as JSON has them", () => ({ token: Buffer.from(ISSUED).toJSON() })],
    ["a set", () => ({ token: new Set([ISSUED]) })],
  ])("are found in %s", async (_, run) => {
    const outcome = await tryRun(
      `
  - { id: a, type: test/do.make, secretOutputs: [token] }
  - { id: b, type: test/do.use, needs: [a], inputs: { text: "and ${ISSUED}" } }`,
      { actions: { ...actions, make: defineAction({ input, run }) } },
    );
    expect(logged(outcome)[0]).toContain(`and ${MASK}`);
    for (const text of [ISSUED, Buffer.from(ISSUED).join(",")]) expect(outcome.out).not.toContain(text);
  });

  it("warn where a path is not there", async () => {
    const outcome = await tryRun("  - { id: a, type: test/do.login, secretOutputs: [body.access_token, body.nope] }", {
      actions,
    });
    expect(warned(outcome)).toEqual(["The output of task 'a' has no 'body.nope': nothing there is masked"]);
  });

  it.each<[string, string]>([
    ["x", "RangeError: the message is not shown"],
    ["name", "Error: the message is not shown"],
    ["task", "DENIED, status 403: the message is not shown"],
    ["code", "TaskError: the message is not shown"],
  ])("keep back what a failed task has logged and said (%s)", async (kind, message) => {
    const outcome = await tryRun(
      `  - { id: a, type: test/do.fails, secretOutputs: [body.access_token], inputs: { kind: ${kind} }, retry: { max: 1, backoffSeconds: 0 } }`,
      { actions },
    );
    expect(outcome.finished.tasks["a"]?.error?.message).toContain(message);
    expect(outcome.out).not.toContain(ISSUED);
    expect(warned(outcome).join()).toContain("that task 'a' has logged or printed are not shown: it failed");
  });

  it("forget what a failed attempt has shown, and show the next one", async () => {
    attempts = 0;
    const outcome = await tryRun(
      "  - { id: a, type: test/do.second, secretOutputs: [body.access_token], retry: { max: 1, backoffSeconds: 0 } }",
      { actions },
    );
    expect(logged(outcome)).toEqual([`attempt 2 with ${MASK}`]);
    expect(outcome.out).not.toContain("an0ther-t0ken");
  });

  it("do not show what an attempt that was given up still says", async () => {
    let number = 0;
    let sayLate: () => void = () => undefined;
    const slow = defineAction({
      input,
      async run(_, { log, task }) {
        number += 1;
        const token = `t0ken-0f-attempt-${number}`;
        if (task.attempt === 1) {
          sayLate = () => log.info(`late ${token}`);
          await new Promise(() => undefined);
        }
        sayLate();
        log.info(`got ${token}`);
        return { token };
      },
    });
    const outcome = await tryRun(
      "  - { id: a, type: test/do.slow, secretOutputs: [token], timeoutSeconds: 1, retry: { max: 1, backoffSeconds: 0 } }",
      { actions: { slow } },
    );
    expect(outcome.finished.status).toBe("success");
    expect(logged(outcome)).toEqual([`got ${MASK}`]);
  });

  it("hold 1 MiB, and say how much more there was", async () => {
    const outcome = await tryRun("  - { id: a, type: test/do.loud, secretOutputs: [body.access_token] }", { actions });
    expect(logged(outcome)).toHaveLength(20);
    expect(warned(outcome).join()).toMatch(/^\d{7} bytes that task 'a' has logged or printed are not shown: no more/);
    expect(outcome.out).not.toContain(ISSUED);
  });

  it("show what does not fit the action", async () => {
    const outcome = await tryRun(
      "  - { id: a, type: core/http.get, secretOutputs: [body.access_token], inputs: { uri: x } }",
    );
    expect(outcome.finished.tasks["a"]?.error?.message).toContain("unknown key 'uri'");
  });

  it.each(["", ".", "a.", ".a", "a..b", "a b", "a[0]", "{{ x }}", "__proto__", "a.constructor", "a.**"])(
    "are refused in a workflow where a path is malformed: %j",
    (path) => {
      const source = `apiVersion: v1\nid: w\ntasks:\n  - { id: a, type: core/http.get, secretOutputs: [ok, ${JSON.stringify(path)}] }`;
      expect(() => parseWorkflow(source, "w.yaml")).toThrow(WorkflowError);
      expect(() => parseWorkflow(source, "w.yaml")).toThrow(/must be a path into the output/);
    },
  );

  it.each<[string, unknown, boolean, string[]]>([
    ["a.0", { a: ["x"] }, true, ["x"]],
    ["a.*", { a: { b: "x", c: { d: 7 } } }, true, ["x", "7"]],
    ["a", { a: null }, true, []],
    ["a.b", { a: "text" }, false, []],
    ["a.*.b", { a: [{ b: "x" }, {}] }, true, ["x"]],
    ["a.*.b", { a: [{ c: 1 }] }, false, []],
    ["toString", {}, false, []],
    ["*", undefined, true, []],
  ])("%s in %j", (path, output, isThere, texts) => {
    const [found] = findSecretOutputs([path], output);
    expect({ ...found, texts: [...(found?.texts ?? [])].sort() }).toEqual({ path, isThere, texts: texts.sort() });
  });
});

describe("KM4: context.mask", () => {
  const masking = (value: unknown, name?: string) =>
    defineAction({
      input,
      run(_, { mask, log }) {
        mask(value, name);
        log.info(`${ISSUED} 4711 ${OTHER}`);
        return [ISSUED, OTHER];
      },
    });
  const tasks = `
  - { id: a, type: test/do.m }
  - { id: b, type: test/do.use, needs: [a], inputs: { text: "{{ tasks.a.output.0 }}" } }`;

  it.each<[string, unknown, string, string]>([
    ["a text", ISSUED, `${MASK} 4711 ${OTHER}`, `used ${MASK} ${MASK}`],
    ["a number", 4711, `${ISSUED} ${MASK} ${OTHER}`, `used ${ISSUED}`],
    ["leaves", { a: [ISSUED, true, null], b: { c: OTHER } }, `${MASK} 4711 ${MASK}`, `used ${MASK} ${MASK}`],
    ["bytes", Buffer.from(ISSUED), `${MASK} 4711 ${OTHER}`, `used ${MASK} ${MASK}`],
    ["a map", new Map([["x", ISSUED]]), `${MASK} 4711 ${OTHER}`, `used ${MASK} ${MASK}`],
  ])("masks %s for the rest of the run", async (_, value, first, second) => {
    const outcome = await tryRun(tasks, { actions: { ...actions, m: masking(value) } });
    expect(logged(outcome)[0]).toBe(first);
    expect(logged(outcome)[1]).toContain(second);
    expect(Object.keys(outcome.finished.masked)).toEqual(["tasks.a"]);
  });

  it.each<[string, unknown, string | undefined]>([
    ["undefined", undefined, undefined],
    ["null", null, undefined],
    ["a boolean", true, undefined],
    ["a function", () => ISSUED, undefined],
    ["an empty object", {}, undefined],
    ["an empty text", "", undefined],
    ["a name with spaces", ISSUED, `the ${ISSUED}`],
  ])("refuses %s", async (_, value, name) => {
    const outcome = await tryRun(tasks, { actions: { ...actions, m: masking(value, name) } });
    expect(outcome.finished.tasks["a"]).toMatchObject({ status: "failed", error: { name: "TypeError" } });
    expect(outcome.out).not.toContain(ISSUED);
  });

  it("counts under the name that is given, never under that of a secret", async () => {
    const named = await tryRun(tasks, { actions: { ...actions, m: masking(ISSUED, "session") } });
    expect(Object.keys(named.finished.masked)).toEqual(["session"]);
    const secrets = { TOKEN: { type: "apiKey", fields: { value: "unused-value-1" } } } as const;
    const taken = await tryRun(tasks, { secrets, actions: { ...actions, m: masking(ISSUED, "TOKEN") } });
    expect(Object.keys(taken.finished.masked)).toEqual(["tasks.a.TOKEN"]);
  });

  it("warns once of what cannot be masked", async () => {
    const outcome = await tryRun(tasks, { actions: { ...actions, m: masking([ISSUED, "abc", "yes"]) } });
    expect(warned(outcome)).toEqual(["tasks.a has a value that is too short or too common to be masked"]);
  });
});

describe("the same value from many tasks", () => {
  it("is masked everywhere, and counts for the task that had it first", async () => {
    const tasks = Array.from(
      { length: 20 },
      (_, at) => `  - { id: t${at}, type: test/do.plain, secretOutputs: ["*"] }`,
    );
    const { finished, out } = await tryRun(tasks.join("\n"), { actions });
    expect(out).not.toContain(ISSUED);
    const names = Object.values(finished.tasks).flatMap(({ masked = {} }) => Object.keys(masked));
    expect(names).toEqual(Array.from(tasks, () => names[0]));
    expect(finished.masked[names[0] ?? ""]?.count).toBe(20);
  });
});

import type { EncryptedSecret, SecretName } from "@autokestra/secrets-core";
import { CANCEL_CASES } from "./cancel-cases.ts";
import {
  type Cases,
  createCase,
  ERROR,
  type Expect,
  finished,
  line,
  MINUTE,
  newRun,
  type OpenedLedger,
  OTHER_RUN,
  OWNER,
  over,
  pause,
  RUN,
  task,
} from "./ledger-case.ts";
import { RESUME_CASES } from "./resume-cases.ts";

export interface LedgerContractOptions {
  /** `it` of vitest, jest or node:test. */
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  /** @param secrets what the store of secrets has */
  readonly open: (secrets: (name: SecretName) => Promise<EncryptedSecret | null>) => Promise<OpenedLedger>;
}

const CREATE_AND_CLAIM: Cases = {
  "a run begins with the tasks that need nothing": async (test) => {
    const ready = await test.ledger.createRun(newRun([task("a"), task("b", ["a"]), task("c")]));
    test.expect(ready).toEqual([await test.id("a"), await test.id("c")]);
    test.expect(await test.states()).toEqual({ a: "ready", b: "blocked", c: "ready" });
  },
  "a run without tasks begins with none": async (test) => {
    test.expect(await test.ledger.createRun(newRun([]))).toEqual([]);
    test.expect(await test.ledger.tasks(RUN)).toEqual([]);
  },
  "a run is made once": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    test.expect((await test.codeOf(test.ledger.createRun(newRun([task("b")])))) === null).toBe(false);
    test.expect(await test.states()).toEqual({ a: "ready" });
  },
  "a run that takes over what another has finished goes on after it": async (test) => {
    const run = newRun([task("a"), task("b", ["a"])], { finished: new Map([["a", "success"]]) });
    test.expect(await test.ledger.createRun(run)).toEqual([await test.id("b")]);
  },
  "two runs share nothing": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"])], { id: OTHER_RUN }));
    await test.ledger.finish(await test.take("a"), { status: "success" });
    test.expect((await test.ledger.tasks(OTHER_RUN)).map(({ state }) => state)).toEqual(["ready", "blocked"]);
  },
  "a claim names run, task and attempt": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const { run, task: name, attempt } = await test.take("a");
    test.expect([run, name, attempt]).toEqual([RUN, "a", 1]);
    test.expect(await test.states()).toEqual({ a: "running" });
  },
  "a task that is taken, blocked or ended cannot be claimed": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"])]));
    const lease = await test.take("a");
    test.expect(await test.ledger.claim(await test.id("a"), "w", MINUTE)).toBe(null);
    test.expect(await test.ledger.claim(await test.id("b"), "w", MINUTE)).toBe(null);
    await test.ledger.finish(lease, { status: "success" });
    test.expect(await test.ledger.claim(await test.id("a"), "w", MINUTE)).toBe(null);
  },
  "a task that there is not cannot be claimed": async (test) => {
    test.expect(await test.ledger.claim("4711", "w", MINUTE)).toBe(null);
  },
  "of many that claim one task at once one gets it": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const id = await test.id("a");
    const claims = Array.from(
      { length: 100 },
      async (_, at) => await (at % 2 === 0 ? test.ledger : test.other).claim(id, `w${at}`, MINUTE),
    );
    test.expect((await Promise.all(claims)).filter((lease) => lease !== null).length).toBe(1);
  },
};

const LEASES: Cases = {
  "a lease that is prolonged is held": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    test.expect(await test.ledger.heartbeat(await test.take("a"))).toBe("held");
  },
  "a heartbeat keeps the reaper away": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const lease = await over(test, "a");
    await test.ledger.heartbeat({ ...lease, milliseconds: MINUTE });
    test.expect(await test.other.reap()).toEqual([]);
  },
  "a lease with another token is lost": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const forged = { ...(await test.take("a")), token: "another" };
    test.expect(await test.ledger.heartbeat(forged)).toBe("lost");
    test.expect(await test.ledger.finish(forged, { status: "success" })).toBe(null);
    test.expect(await test.ledger.fail(forged, ERROR, null)).toBe(null);
    test.expect(await test.states()).toEqual({ a: "running" });
  },
  "a worker that was stopped and comes back changes nothing": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"])]));
    const stopped = await over(test, "a");
    test.expect(await test.other.reap()).toEqual([await test.id("a")]);
    const next = await test.other.claim(await test.id("a"), "w2", MINUTE);
    test.expect(next?.attempt).toBe(2);
    test.expect(await test.ledger.heartbeat(stopped)).toBe("lost");
    test.expect(await test.ledger.finish(stopped, { status: "success" })).toBe(null);
    test.expect(await test.states()).toEqual({ a: "running", b: "blocked" });
  },
  "a lost task fails after its attempts": async (test) => {
    await test.ledger.createRun(newRun([task("a", [], { maxAttempts: 2 }), task("b", ["a"])]));
    await over(test, "a");
    test.expect(await test.ledger.reap()).toEqual([await test.id("a")]);
    await over(test, "a");
    test.expect(await test.ledger.reap()).toEqual([]);
    test.expect(await test.states()).toEqual({ a: "failed", b: "skipped" });
  },
  "a lost task that must not be tried again has failed": async (test) => {
    await test.ledger.createRun(newRun([task("a", [], { isRepeatable: false }), task("b", ["a"])]));
    await over(test, "a");
    test.expect(await test.ledger.reap()).toEqual([]);
    test.expect(await test.states()).toEqual({ a: "failed", b: "skipped" });
  },
  "of a lost task that the run survives, those that need it start": async (test) => {
    const survived = task("a", [], { isRepeatable: false, continueOnError: true });
    await test.ledger.createRun(newRun([survived, task("b", ["a"])]));
    await over(test, "a");
    test.expect(await test.ledger.reap()).toEqual([await test.id("b")]);
  },
  "a lease without an end is not reaped": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: OWNER }));
    await test.take("a", Number.POSITIVE_INFINITY);
    test.expect(await test.other.reap()).toEqual([]);
  },
  "nothing of a run with an owner is reaped": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: OWNER }));
    await over(test, "a");
    test.expect(await test.other.reap()).toEqual([]);
    test.expect(await test.states()).toEqual({ a: "running" });
  },
};

const ENDS: Cases = {
  "what a task ends with decides about those that need it": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"]), task("c", ["a", "b"])]));
    const after = await test.ledger.finish(await test.take("a"), { status: "success", output: { masked: true } });
    test.expect(after).toEqual([await test.id("b")]);
    test.expect(await test.states()).toEqual({ a: "success", b: "ready", c: "blocked" });
  },
  "after a failure nothing new starts": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"]), task("c"), task("d")]));
    const running = await test.take("c");
    test.expect(await test.ledger.fail(await test.take("a"), ERROR, null)).toEqual([]);
    test.expect(await test.states()).toEqual({ a: "failed", b: "skipped", c: "running", d: "skipped" });
    test.expect(await test.ledger.finish(running, { status: "success" })).toEqual([]);
  },
  "after a failure that the run survives others start": async (test) => {
    await test.ledger.createRun(newRun([task("a", [], { continueOnError: true }), task("b", ["a"]), task("c")]));
    test.expect(await test.ledger.fail(await test.take("a"), ERROR, null)).toEqual([await test.id("b")]);
    test.expect(await test.states()).toEqual({ a: "failed", b: "ready", c: "ready" });
  },
  "those that need a skipped task are skipped, unless their `if` names its status": async (test) => {
    const tasks = [task("a"), task("b", ["a"]), task("c", ["a"], { statusesInIf: new Set(["a"]) })];
    await test.ledger.createRun(newRun(tasks));
    const after = await test.ledger.finish(await test.take("a"), { status: "skipped" });
    test.expect(after).toEqual([await test.id("c")]);
    test.expect(await test.states()).toEqual({ a: "skipped", b: "skipped", c: "ready" });
  },
  "a task waits for its next attempt": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"])]));
    const later = new Date(Date.now() + MINUTE);
    test.expect(await test.ledger.fail(await test.take("a"), ERROR, later)).toEqual([]);
    test.expect(await test.states()).toEqual({ a: "waiting", b: "blocked" });
    test.expect(await test.ledger.claim(await test.id("a"), "w", MINUTE)).toBe(null);
    test.expect(await test.ledger.reap()).toEqual([]);
  },
  "a task whose next attempt is due is rung for": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    await test.ledger.fail(await test.take("a"), ERROR, new Date(Date.now() - 1));
    test.expect(await test.ledger.reap()).toEqual([await test.id("a")]);
    test.expect((await test.take("a")).attempt).toBe(2);
  },
  "a task that waits goes on after another has failed": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b")]));
    await test.ledger.fail(await test.take("a"), ERROR, new Date(Date.now() - 1));
    await test.ledger.fail(await test.take("b"), ERROR, null);
    test.expect((await test.take("a")).attempt).toBe(2);
  },
  "a task ends once": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const lease = await test.take("a");
    test.expect(await test.ledger.finish(lease, { status: "success" })).toEqual([]);
    test.expect(await test.ledger.fail(lease, ERROR, null)).toBe(null);
    test.expect(await test.states()).toEqual({ a: "success" });
  },
  "a run from a queue does not begin where it waits no more": async (test) => {
    const run = newRun([task("a")], { owner: OWNER, fromQueue: true });
    test.expect(await test.codeOf(test.ledger.createRun(run))).toBe("RUN_ENDED");
    test.expect(await test.ledger.tasks(RUN)).toEqual([]);
  },
  "after the end nothing can be claimed": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    await test.ledger.append(RUN, [finished("failed")]);
    test.expect(await test.ledger.claim(await test.id("a"), "w", MINUTE)).toBe(null);
  },
};

const SECRETS: Cases = {
  "a declared secret is handed out while the lease lasts": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const lease = await test.take("a");
    test.expect(await test.ledger.release(lease, "DECLARED" as SecretName)).toEqual({ name: "DECLARED" });
  },
  "a secret that the run does not declare is not handed out": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    test.expect(await test.ledger.release(await test.take("a"), "ANOTHER" as SecretName)).toBe(null);
  },
  "nothing is handed out after the lease, or with another token": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b")]));
    test.expect(await test.ledger.release(await over(test, "a"), "DECLARED" as SecretName)).toBe(null);
    const lease = await test.take("b");
    test.expect(await test.ledger.release({ ...lease, token: "x" }, "DECLARED" as SecretName)).toBe(null);
    await test.ledger.finish(lease, { status: "success" });
    test.expect(await test.ledger.release(lease, "DECLARED" as SecretName)).toBe(null);
  },
};

const EVENTS: Cases = {
  "events are read in their order, from a place on": async (test) => {
    await test.ledger.createRun(newRun([]));
    await test.ledger.append(RUN, [line("one"), line("two")]);
    await test.other.append(RUN, [line("three"), finished("success")]);
    const messages: unknown[] = [];
    for await (const event of test.other.events(RUN, 1))
      messages.push("message" in event ? event.message : event.event);
    test.expect(messages).toEqual(["two", "three", "run.finished"]);
  },
  "events are followed until the run ends": async (test) => {
    await test.ledger.createRun(newRun([]));
    const seen: string[] = [];
    const follow = async () => {
      for await (const { event } of test.other.events(RUN, 0)) seen.push(event);
    };
    const following = follow();
    await test.ledger.append(RUN, [line("one")]);
    while (seen.length === 0) await pause(10);
    test.expect(seen).toEqual(["task.log"]);
    await test.ledger.append(RUN, [finished("success")]);
    await following;
    test.expect(seen).toEqual(["task.log", "run.finished"]);
  },
  "events are followed until the signal comes": async (test) => {
    await test.ledger.createRun(newRun([]));
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    for await (const _ of test.ledger.events(RUN, 0, stop.signal));
    test.expect(stop.signal.aborted).toBe(true);
  },
  "a run that there is not has no events, and takes none": async (test) => {
    for await (const event of test.ledger.events(RUN, 0)) test.expect(event).toBe(null);
    test.expect(await test.codeOf(test.ledger.append(RUN, [line("x")]))).toBe("RUN_NOT_FOUND");
  },
  "nothing of a transaction that fails is there": async (test) => {
    const twice = [task("a"), task("a")];
    await test.codeOf(test.ledger.createRun(newRun(twice)));
    test.expect(await test.ledger.tasks(RUN)).toEqual([]);
    test.expect(await test.ledger.createRun(newRun([task("a")]))).toEqual([await test.id("a")]);
  },
};

/**
 * Registers one test for each promise of {@link RunLedger}. The test file of a ledger is one call:
 *
 * ```ts no-run
 * import { expect, it } from "vitest";
 * import { runLedgerContract } from "@autokestra/runs/testing";
 *
 * runLedgerContract({ it, expect, open: async (secrets) => await openMyLedgers(secrets) });
 * ```
 */
export function runLedgerContract({ it, expect, open }: LedgerContractOptions): void {
  const secrets = async (name: SecretName) => ({ name }) as unknown as EncryptedSecret;
  for (const [name, run] of [CREATE_AND_CLAIM, LEASES, ENDS, CANCEL_CASES, SECRETS, EVENTS, RESUME_CASES].flatMap(
    Object.entries,
  )) {
    it(name, async () => {
      const opened = await open(secrets);
      try {
        await run(createCase(opened, expect));
      } finally {
        await opened.ledger.close();
        await opened.other.close();
      }
    });
  }
}

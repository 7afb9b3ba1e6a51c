import type { KeptValue } from "../ledger.ts";
import { type Cases, ERROR, finished, newRun, OWNER, RUN, resumed, task } from "./ledger-case.ts";

const kept = (name: string): KeptValue => ({
  kind: "result",
  task: name,
  attempt: 1,
  keyId: "key",
  bytes: new Uint8Array([1, 2, 3]),
});

/** How an earlier run goes on. */
export const RESUME_CASES: Cases = {
  "a lost run goes on after what it has finished": async (test) => {
    const tasks = [task("a"), task("b", ["a"]), task("c", ["b"])];
    await test.ledger.createRun(newRun(tasks, { owner: { token: "first" } }));
    await test.ledger.finish(await test.take("a"), { status: "success" }, kept("a"));
    await test.take("b");
    await test.loseOwner(RUN);
    const run = resumed(tasks, { finished: new Map([["a", "success"]]) });
    test.expect(await test.other.resume(run)).toEqual([await test.id("b")]);
    test.expect(await test.states()).toEqual({ a: "success", b: "ready", c: "blocked" });
  },
  "a failed run goes on": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    await test.ledger.fail(await test.take("a"), ERROR, null);
    await test.ledger.append(RUN, [finished("failed")]);
    test.expect(await test.ledger.resume(resumed([task("a")]))).toEqual([await test.id("a")]);
    test.expect((await test.take("a")).task).toBe("a");
  },
  "a cancelled run goes on": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    await test.ledger.cancel(RUN, "user");
    await test.ledger.append(RUN, [finished("cancelled")]);
    test.expect(await test.ledger.resume(resumed([task("a")]))).toEqual([await test.id("a")]);
  },
  "a running run does not go on elsewhere": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    test.expect(await test.codeOf(test.other.resume(resumed([task("a")])))).toBe("RUN_ACTIVE");
  },
  "a run that has succeeded does not go on": async (test) => {
    await test.ledger.createRun(newRun([], { owner: { token: "first" } }));
    await test.ledger.append(RUN, [finished("success")]);
    test.expect(await test.codeOf(test.ledger.resume(resumed([])))).toBe("RUN_NOT_RESUMABLE");
  },
  "a run that there is not does not go on": async (test) => {
    test.expect(await test.codeOf(test.ledger.resume(resumed([])))).toBe("RUN_NOT_FOUND");
  },
  "of two that go on with a run one does": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    await test.loseOwner(RUN);
    const codes = await Promise.all([
      test.codeOf(test.ledger.resume(resumed([task("a")]))),
      test.codeOf(test.other.resume(resumed([task("a")], { owner: { token: "second" } }))),
    ]);
    test.expect(codes.filter((code) => code === null).length).toBe(1);
    test.expect(codes.filter((code) => code === "RUN_ACTIVE").length).toBe(1);
  },
  "nobody goes on from an older state": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    await test.loseOwner(RUN);
    await test.ledger.resume(resumed([task("a")]));
    await test.loseOwner(RUN);
    test.expect(await test.codeOf(test.other.resume(resumed([task("a")])))).toBe("RUN_ACTIVE");
    test.expect(await test.codeOf(test.other.resume(resumed([task("a")], { after: 2 })))).toBe(null);
  },
  "an owner that was replaced changes nothing": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    const stopped = await test.take("a", Number.POSITIVE_INFINITY);
    await test.loseOwner(RUN);
    await test.other.resume(resumed([task("a")]));
    test.expect(await test.ledger.finish(stopped, { status: "success" })).toBe(null);
    test.expect(await test.ledger.keep(RUN, "first", [kept("a")])).toBe(false);
    test.expect(await test.ledger.keep(RUN, OWNER.token, [kept("a")])).toBe(true);
    test.expect(await test.states()).toEqual({ a: "ready" });
  },
  "a run goes on with the tasks of its file as it is now": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b")], { owner: { token: "first" } }));
    await test.loseOwner(RUN);
    await test.other.resume(resumed([task("a"), task("c", ["a"])], { finished: new Map([["a", "success"]]) }));
    test.expect(await test.states()).toEqual({ a: "success", c: "ready" });
  },
};

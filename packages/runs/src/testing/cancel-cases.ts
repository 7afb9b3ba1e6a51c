import { type Cases, ERROR, finished, MINUTE, newRun, OWNER, RUN, resumed, task } from "./ledger-case.ts";

/** What cancelling a run does. */
export const CANCEL_CASES: Cases = {
  "cancelling lets nothing start, and tells those that run": async (test) => {
    await test.ledger.createRun(newRun([task("a"), task("b", ["a"]), task("c"), task("d")]));
    const lease = await test.take("a");
    await test.ledger.fail(await test.take("d"), ERROR, new Date(Date.now() + MINUTE));
    await test.other.cancel(RUN, "user");
    test.expect(await test.states()).toEqual({ a: "running", b: "cancelled", c: "cancelled", d: "cancelled" });
    test.expect(await test.ledger.heartbeat(lease)).toBe("cancelled");
    test.expect(await test.ledger.finish(lease, { status: "cancelled" })).toEqual([]);
  },
  "cancelling between claim and start is told with the first heartbeat": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    const lease = await test.take("a");
    await test.ledger.cancel(RUN, "shutdown");
    test.expect(await test.ledger.heartbeat(lease)).toBe("cancelled");
  },
  "cancelling after the end changes nothing": async (test) => {
    await test.ledger.createRun(newRun([task("a")]));
    await test.ledger.finish(await test.take("a"), { status: "success" });
    await test.ledger.append(RUN, [finished("success")]);
    test.expect(await test.codeOf(test.other.cancel(RUN, "user"))).toBe("RUN_ENDED");
    test.expect(await test.states()).toEqual({ a: "success" });
  },
  "a run that there is not cannot be cancelled": async (test) => {
    test.expect(await test.codeOf(test.ledger.cancel(RUN, "user"))).toBe("RUN_NOT_FOUND");
  },
  "the owner of a run learns that it was cancelled, by whom first": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: OWNER }));
    test.expect(await test.ledger.ownership(RUN, OWNER.token)).toEqual({ isHeld: true, cancelledBy: null });
    test.expect(await test.other.cancel(RUN, "superseded")).toBe("running");
    test.expect(await test.other.cancel(RUN, "user")).toBe("running");
    test.expect(await test.ledger.ownership(RUN, OWNER.token)).toEqual({ isHeld: true, cancelledBy: "superseded" });
    test.expect(await test.ledger.ownership(RUN, "another")).toEqual({ isHeld: false, cancelledBy: null });
    test.expect(await test.ledger.claim(await test.id("a"), "w", MINUTE)).toBe(null);
  },
  "an owner that cancels its own run hears nothing of it": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: OWNER }));
    await test.ledger.finish(await test.take("a"), { status: "cancelled" });
    test.expect(await test.other.cancel(RUN, "user")).toBe("running");
    test.expect(await test.ledger.ownership(RUN, OWNER.token)).toEqual({ isHeld: true, cancelledBy: null });
  },
  "a run whose owner is lost cannot be cancelled": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: OWNER }));
    await test.loseOwner(RUN);
    test.expect(await test.codeOf(test.other.cancel(RUN, "user"))).toBe("RUN_ENDED");
    test.expect(await test.states()).toEqual({ a: "ready" });
  },
  "a run that was cancelled before its owner was lost goes on, and is not cancelled again": async (test) => {
    await test.ledger.createRun(newRun([task("a")], { owner: { token: "first" } }));
    await test.other.cancel(RUN, "user");
    await test.loseOwner(RUN);
    test.expect(await test.codeOf(test.other.cancel(RUN, "user"))).toBe("RUN_ENDED");
    await test.other.resume(resumed([task("a")]));
    test.expect(await test.other.ownership(RUN, OWNER.token)).toEqual({ isHeld: true, cancelledBy: null });
    test.expect(await test.ledger.ownership(RUN, "first")).toEqual({ isHeld: false, cancelledBy: null });
    test.expect((await test.take("a")).task).toBe("a");
  },
};

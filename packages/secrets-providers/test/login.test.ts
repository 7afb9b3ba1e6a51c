import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, describe, expect, it } from "vitest";
import {
  createLogin,
  denied,
  type Failure,
  type HttpResponse,
  type LoginToken,
  notFound,
  readToken,
  unavailable,
} from "../src/index.ts";

function responseOf(status: number): HttpResponse {
  return { status, headers: {}, text: "", asked: "GET https://x" };
}

function limits(signal: AbortSignal = new AbortController().signal) {
  return { signal, deadline: Date.now() + 100_000 };
}

/** A login whose answers are given, and a clock that stands still. */
function fixture(...answers: (LoginToken | Failure)[]) {
  const clock = { now: 1_000_000 };
  let logins = 0;
  const logIn = async () => await Promise.resolve(answers[logins++] ?? denied("no more"));
  const returned: string[] = [];
  const giveBack = async ({ token }: LoginToken) => await Promise.resolve(void returned.push(token));
  const login = createLogin({ logIn, giveBack, now: () => clock.now });
  const tokens: string[] = [];
  const use = async (status: (token: string) => number = () => 200) =>
    await login.use(limits(), async (token) => {
      tokens.push(token);
      return await Promise.resolve(responseOf(status(token)));
    });
  return { clock, use, tokens, login, returned, logins: () => logins };
}

describe("createLogin", () => {
  it("logs in once for all calls", async () => {
    const { use, tokens, logins, login, returned } = fixture({ token: "t1" });
    await login.close();
    expect(returned).toEqual([]);
    const responses = await Promise.all([use(), use(), use()]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect([tokens, logins()]).toEqual([["t1", "t1", "t1"], 1]);
    await login.close();
    await login.close();
    expect(returned).toEqual(["t1"]);
  });

  it("asks after a 403 whether the token was revoked, and logs in anew only then", async () => {
    let revoked = "none";
    const asked: string[] = [];
    const answers = [
      { token: "t1", endsAt: 9e12 },
      { token: "t2", endsAt: 9e12 },
    ];
    const login = createLogin({
      logIn: async () => await Promise.resolve(answers.shift() ?? denied("no more")),
      hasEnded: async (token) => {
        asked.push(token);
        return await Promise.resolve(token === revoked);
      },
    });
    const use = async (refused: string) =>
      await login.use(limits(), async (token) => await Promise.resolve(responseOf(token === refused ? 403 : 200)));
    expect((await use("t1")).status).toBe(403);
    // It was made for this call: nobody can have revoked it.
    expect(asked).toEqual([]);
    expect((await use("t1")).status).toBe(403);
    revoked = "t1";
    expect((await use("t1")).status).toBe(200);
    expect([asked, answers]).toEqual([["t1", "t1"], []]);
  });

  it("renews a token before it ends, and keeps it where that fails as long as it lasts", async () => {
    const end = 1_000_000 + 600_000;
    const { clock, use, tokens, logins } = fixture({ token: "t1", endsAt: end }, unavailable("down"), { token: "t2" });
    await use();
    clock.now = end - 61_000;
    await use();
    expect(logins()).toBe(1);
    clock.now = end - 59_000;
    await use();
    expect(tokens).toEqual(["t1", "t1", "t1"]);
    await use();
    expect([tokens.at(-1), logins()]).toEqual(["t2", 3]);
  });

  it("renews a short token when a third of its life is left, and fails when it has ended", async () => {
    const { clock, use, logins } = fixture(
      { token: "t1", endsAt: 1_030_000 },
      unavailable("down"),
      unavailable("still"),
    );
    await use();
    clock.now = 1_019_000;
    await use();
    expect(logins()).toBe(1);
    clock.now = 1_021_000;
    expect((await use()).status).toBe(200);
    clock.now = 1_030_000;
    expect(await use()).toMatchObject({ status: "unavailable", reason: "still" });
  });

  it("remembers a refused login for 30 s, and an outage not at all", async () => {
    const { clock, use, logins } = fixture(unavailable("down"), denied("wrong"), { token: "t" });
    expect((await use()).status).toBe("unavailable");
    expect((await use()).status).toBe("denied");
    clock.now += 29_999;
    expect(await use()).toMatchObject({ status: "denied", reason: "wrong" });
    expect(logins()).toBe(2);
    clock.now += 1;
    expect((await use()).status).toBe(200);
  });

  it("takes a login that is not there for no answer about a secret", async () => {
    const { use } = fixture(notFound("There is no login."), { status: "notFound" });
    expect(await use()).toMatchObject({ status: "malformed", reason: "There is no login." });
  });

  it.each([401, 403])("logs in once more after %i where the token has ended, for all that wait", async (status) => {
    const { clock, use, tokens, logins } = fixture({ token: "t1", endsAt: 2_000_000 }, { token: "t2" });
    await use();
    clock.now = 2_000_000 - 60_000;
    // The token ends while the calls are on their way.
    const answers = await Promise.all(
      [1, 2, 3].map(
        async () =>
          await use((token) => {
            clock.now = 2_000_001;
            return token === "t1" ? status : 200;
          }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect([tokens.filter((token) => token === "t2").length, logins()]).toEqual([3, 2]);
  });

  it("logs in no more than once in 30 s because of refusals, nor with a token that is new", async () => {
    const { clock, use, logins } = fixture({ token: "t1" }, { token: "t2" }, { token: "t3" });
    expect((await use(() => 401)).status).toBe(401);
    expect(logins()).toBe(1);
    expect((await use(() => 401)).status).toBe(401);
    expect(logins()).toBe(2);
    expect((await use(() => 401)).status).toBe(401);
    expect(logins()).toBe(2);
    clock.now += 30_000;
    expect((await use((token) => (token === "t3" ? 200 : 401))).status).toBe(200);
  });

  it("asks no second time with the same token, and not after 403 while the token lasts", async () => {
    const same = fixture({ token: "t" }, { token: "t" });
    await same.use();
    expect((await same.use(() => 403)).status).toBe(403);
    expect([same.tokens, same.logins()]).toEqual([["t", "t"], 2]);
    const lasting = fixture({ token: "t", endsAt: 9_000_000 });
    await lasting.use();
    expect((await lasting.use(() => 403)).status).toBe(403);
    expect(lasting.logins()).toBe(1);
  });

  it("fails where the new login does", async () => {
    const { use } = fixture({ token: "t" }, denied("gone"));
    await use();
    expect(await use(() => 401)).toMatchObject({ status: "denied", reason: "gone" });
  });

  it("ends for whoever gives up, and goes on for the others", async () => {
    let finish = (): void => undefined;
    const login = createLogin({
      logIn: async () => await new Promise<LoginToken>((resolve) => (finish = () => resolve({ token: "t" }))),
    });
    const call = async () => await Promise.resolve(responseOf(200));
    const aborted = new AbortController();
    const first = login.use(limits(aborted.signal), call);
    const second = login.use(limits(), call);
    aborted.abort();
    expect(await first).toMatchObject({ status: "unavailable", timedOut: true });
    expect(await login.use(limits(AbortSignal.abort()), call)).toMatchObject({ timedOut: true });
    finish();
    expect((await second).status).toBe(200);
  });

  it("gives back a token that another replaces, once no call is made with it", async () => {
    const end = 1_000_000 + 600_000;
    const { clock, use, login, returned } = fixture({ token: "t1", endsAt: end }, { token: "t2" });
    await use();
    let finish = (): void => undefined;
    const answered = new Promise<void>((resolve) => (finish = resolve));
    const slow = login.use(limits(), async () => {
      await answered;
      return responseOf(200);
    });
    clock.now = end - 1000;
    await use();
    expect(returned).toEqual([]);
    finish();
    await slow;
    await login.close();
    expect(returned).toEqual(["t1", "t2"]);
  });

  it("gives back no token that was prolonged, and waits for a login that is on its way", async () => {
    const end = 1_000_000 + 600_000;
    const { clock, use, login, returned } = fixture({ token: "t1", endsAt: end }, { token: "t1" });
    await use();
    clock.now = end - 1000;
    await use();
    expect(returned).toEqual([]);
    await login.close();
    expect(returned).toEqual(["t1"]);
    const late = fixture({ token: "t2" });
    const first = late.use();
    await late.login.close();
    expect(late.returned).toEqual(["t2"]);
    await first;
  });

  it("is closed also where tokens cannot be given back", async () => {
    const giveBack = async () => await Promise.reject(new Error("no"));
    const login = createLogin({ logIn: async () => await Promise.resolve({ token: "t" }), giveBack });
    await login.use(limits(), async () => await Promise.resolve(responseOf(200)));
    await login.close();
    const silent = createLogin({ logIn: async () => await Promise.resolve({ token: "t" }) });
    await silent.use(limits(), async () => await Promise.resolve(responseOf(200)));
    await silent.close();
  });

  it("takes at most its own time", async () => {
    const login = createLogin({ logIn: async () => await new Promise(() => undefined), timeoutMs: 20 });
    const call = async () => await Promise.resolve(responseOf(200));
    expect(await login.use(limits(), call)).toMatchObject({ status: "unavailable", reason: "no answer within 0.02 s" });
  });
});

describe("readToken", () => {
  const file = join(temporaryFolder(afterAll), "token");

  it.each([
    ["as it is", { token: "t" }, "t"],
    ["from a variable", { tokenEnv: "T" }, "v"],
    ["from a file", { tokenFile: file }, "f"],
  ])("%s", async (_how, options, token) => {
    writeFileSync(file, "f\r\n");
    expect(await readToken(options, { T: "v" })).toEqual({ token });
  });

  it("reads a file again each time", async () => {
    writeFileSync(file, "one\n");
    expect(await readToken({ tokenFile: file }, {})).toEqual({ token: "one" });
    writeFileSync(file, "two\n");
    expect(await readToken({ tokenFile: file }, {})).toEqual({ token: "two" });
  });

  it.each([
    ["nothing", {}, "there is no token"],
    ["an empty variable", { tokenEnv: "EMPTY" }, "there is no token in EMPTY"],
    [
      "a file that is not there",
      { tokenFile: "/nowhere/token" },
      "the token file /nowhere/token cannot be read (ENOENT)",
    ],
    ["a line break", { tokenEnv: "BROKEN" }, "the token in BROKEN is empty, or holds a space or a line break"],
    ["a space", { token: "canary x" }, "the token is empty, or holds a space or a line break"],
  ])("denies %s, and repeats nothing", async (_what, options, reason) => {
    const answer = await readToken(options, { EMPTY: "", BROKEN: "canary\nx" });
    expect(answer).toMatchObject({ status: "denied", reason });
    expect(JSON.stringify(answer)).not.toContain("canary");
  });
});

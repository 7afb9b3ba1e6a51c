import { invokeAction } from "@autokestra/plugin-sdk";
import { createTestContext } from "@autokestra/plugin-sdk/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../../scripts/test/any-character.ts";
import { CookieJar } from "../../src/http/cookies.ts";
import { requestAction } from "./actions.ts";
import { startServer } from "./test-server.ts";

describe("a jar", () => {
  const ORIGIN = "https://api.example.com";

  function header(cookies: readonly string[], path: string, given?: string): string | undefined {
    const jar = new CookieJar();
    jar.keep(cookies, new URL(`${ORIGIN}/a/login`));
    return jar.header(new URL(`${ORIGIN}${path}`), given);
  }

  it.each<[string[], string, string | undefined]>([
    [["k=1"], "/a/b", "k=1"],
    [["k=1"], "/a", "k=1"],
    [["k=1"], "/ab", undefined],
    [["k=1; Path=/"], "/", "k=1"],
    [["k=1; Path=/a/login"], "/a", undefined],
    [["k=1; Path=relative"], "/a/x", "k=1"],
    [["k=1; Path=/", "k=2; Path=/"], "/", "k=2"],
    [["k=1; Path=/", "k=2; Path=/a"], "/a", "k=2; k=1"],
    [["k=1; Path=/", "k=; Path=/; Max-Age=0"], "/", undefined],
    [["k=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT"], "/", undefined],
    [["k=1; Path=/; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=60"], "/", "k=1"],
    [["k=1; Path=/; Expires=soon"], "/", "k=1"],
    [["k=1; Path=/; Max-Age=soon"], "/", "k=1"],
    [["k=1; Path=/; Domain=example.com"], "/", "k=1"],
    [["k=1; Path=/; Domain=.API.example.com"], "/", "k=1"],
    [["k=1; Path=/; Domain=other.example"], "/", undefined],
    [["k=1; Path=/; Domain=ample.com"], "/", undefined],
    [["k=1; Path=/; Secure; HttpOnly; SameSite=Strict"], "/", "k=1"],
    [["k=a=b%20c; Path=/"], "/", "k=a=b%20c"],
    [["__proto__=1; Path=/"], "/", "__proto__=1"],
    [["=1; Path=/", "; Path=/", "k=ü; Path=/", "k=\x01; Path=/", `k=${"x".repeat(5000)}; Path=/`], "/", undefined],
  ])("%j, %s: %s", (cookies, path, sent) => {
    expect(header(cookies, path)).toBe(sent);
  });

  it("puts the cookies of the server beside those of the workflow, and instead of those of the same name", () => {
    expect(header(["k=1; Path=/"], "/", "a=b; k=0;; c")).toBe("a=b; c; k=1");
    expect(header([], "/", "a=b")).toBe("a=b");
    expect(header([], "/")).toBeUndefined();
  });

  it("sends nothing but a valid header back, whatever a server sets", () => {
    const text = fc.string({ unit: anyCharacter, maxLength: 30 });
    const attribute = fc.oneof(text, fc.constantFrom("Path=/", "Max-Age=9", "Expires=x", "Domain=api.example.com"));
    const cookie = fc
      .tuple(text, text, fc.array(attribute))
      .map(([name, value, rest]) => [`${name}=${value}`, ...rest]);
    fc.assert(
      fc.property(fc.array(cookie), (cookies) => {
        expect(
          header(
            cookies.map((parts) => parts.join(";")),
            "/a/b",
            "own=1",
          ) ?? "",
        ).toMatch(/^own=1(?:; [ -~]+)*$/);
      }),
      { numRuns: 300 },
    );
  });

  it("has room for 50", () => {
    const many = Array.from({ length: 60 }, (_, index) => `k${index}=1; Path=/`);
    expect(header(many, "/")?.split("; ")).toEqual(many.slice(10).map((cookie) => cookie.replace("; Path=/", "")));
  });
});

describe("cookies of a task", () => {
  const COOKIE = "session=s3cret-session";

  it("go along with redirects, and are masked before", async () => {
    const context = createTestContext();
    const seenMasked: unknown[] = [];
    const { origin, received } = await startServer((response, { url }) => {
      if (url === "/") response.writeHead(302, { location: "/home", "set-cookie": `${COOKIE}; Path=/` });
      else seenMasked.push(...context.masked.map(({ value }) => value));
      response.end();
    });
    await invokeAction(requestAction, { url: origin, headers: { Cookie: "own=1" } }, context);
    expect(received.map(({ headers }) => headers.cookie)).toEqual(["own=1", `own=1; ${COOKIE}`]);
    expect(seenMasked).toEqual([COOKIE, "s3cret-session", "s3cret-session"]);
    expect(context.masked[0]?.name).toBe("tasks.task.output.headers.set-cookie");
  });

  it("do not reach another origin, and do not come back", async () => {
    const other = await startServer((response) =>
      response.writeHead(302, { location: `${first.origin}/back`, "set-cookie": "theirs=1; Path=/" }).end(),
    );
    const first = await startServer((response, { url }) => {
      if (url === "/") response.writeHead(302, { location: other.origin, "set-cookie": `${COOKIE}; Path=/` });
      response.end();
    });
    const input = { url: first.origin, followRedirects: "always" };
    expect((await invokeAction(requestAction, input, createTestContext())).url).toBe(`${first.origin}/back`);
    expect([...first.received, ...other.received].map(({ headers }) => headers.cookie)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("end with the task", async () => {
    const { origin, received } = await startServer((response) => response.setHeader("set-cookie", COOKIE).end());
    for (const _ of [1, 2]) await invokeAction(requestAction, { url: origin }, createTestContext());
    expect(received.map(({ headers }) => headers.cookie)).toEqual([undefined, undefined]);
  });
});

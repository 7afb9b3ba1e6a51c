import { describe, expect, it } from "vitest";
import { checkOrigins } from "../src/cors.ts";
import { createHostCheck, createNetworkCheck, isLoopback } from "../src/hosts.ts";
import { parseJsonBody } from "../src/json-body.ts";
import { toKnownError, toProblem } from "../src/problem.ts";
import { addressKey, createRateLimiter } from "../src/rate-limiter.ts";

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe("W7: bodies", () => {
  it.each([
    "{}",
    '{"a":{"b":[1,-2.5e3,true,null,"x"]},"b":"{\\"a\\":1}"}',
    '"a \\\\ \\" b"',
    '{"a":"1","b":{"a":"1"},"c":[{"a":1},{"a":2}]}',
    '{"n":9007199254740991}',
  ])("reads %s as JSON does", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each<[string, string]>([
    ['{"a":1,"a":2}', "the key 'a' stands twice in one object"],
    ['{"a":1,"\\u0061":2}', "the key 'a' stands twice in one object"],
    ['{"x":{"a":1,"b":2,"a":3}}', "the key 'a' stands twice in one object"],
    ['{"__proto__":{"x":1}}', "the key '__proto__' is reserved"],
    ['{"constructor":1}', "the key 'constructor' is reserved"],
    ["[".repeat(100_000), "it is too deep"],
    [`${'{"a":'.repeat(17)}1${"}".repeat(17)}`, "it is too deep"],
    ["{", "it is not JSON"],
    ["", "it is not JSON"],
    ["{'a':1}", "it is not JSON"],
    ['{"a\n":1}', "it is not JSON"],
    ['{"a":1}x', "it is not JSON"],
    ['{"a":NaN}', "it is not JSON"],
    ["\ufeff{}", "it is not JSON"],
    ['{"n":9007199254740993}', "it has a number that would lose digits"],
    ['{"n":1e999}', "it has a number that would lose digits"],
  ])("refuses %s", (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
  });

  it("refuses what is not UTF-8, and takes a large body", () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).toThrow("it is not UTF-8");
    const wide = `{${Array.from({ length: 60_000 }, (_, index) => `"key${index}":1`).join(",")}}`;
    const long = JSON.stringify({ a: `${"\\".repeat(250_000)}${'"'.repeat(250_000)}` });
    for (const text of [wide, long]) expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe("hosts", () => {
  it.each(["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]", "secrets.example", "10.0.0.5:80"])(
    "%s is ours",
    (header) => {
      expect(createHostCheck("10.0.0.5", ["Secrets.example"])(header)).toBe(true);
    },
  );

  it.each([
    "",
    "evil.example",
    "localhost.",
    "localhost.evil.example",
    "evil.example:8000",
    "localhost@evil.example",
    "localhost:",
    "localhost:999999",
    "127.0.0.1.evil.example",
    "0.0.0.0",
    "[::2]",
    "::1",
    "local host",
    "localhost/x",
  ])("%s is not", (header) => {
    expect(createHostCheck("10.0.0.5", ["secrets.example"])(header)).toBe(false);
  });

  it("an address of IPv6 stands in brackets", () => {
    expect(createHostCheck("FE80::1", [])("[fe80::1]:80")).toBe(true);
  });

  it("only this machine reaches loopback addresses", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1"].map(isLoopback)).toEqual([true, true, true, true]);
    expect(["0.0.0.0", "::", "10.0.0.1", "127.example.org"].map(isLoopback)).toEqual([false, false, false, false]);
  });

  it("networks have the addresses in them", () => {
    const isProxy = createNetworkCheck(["10.0.0.0/8", "192.168.1.7", "fd00::/8"]);
    expect(["10.1.2.3", "::ffff:10.1.2.3", "192.168.1.7", "fd12::1"].map(isProxy)).toEqual([true, true, true, true]);
    expect(["11.0.0.1", "192.168.1.8", "fe80::1", "", "x"].map(isProxy)).toEqual([false, false, false, false, false]);
    for (const wrong of ["10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "example.org", "", "fd00::/129", "10.0.0.0/"]) {
      expect(() => createNetworkCheck([wrong])).toThrow("is not a CIDR");
    }
  });
});

it("an origin is one as browsers write it", () => {
  expect(() => checkOrigins(["https://app.example", "http://localhost:3000"])).not.toThrow();
  for (const wrong of [
    "*",
    "null",
    "app.example",
    "https://app.example/",
    "https://app.example:443",
    "postgres://a:b@c/d",
  ]) {
    expect(() => checkOrigins([wrong])).toThrow("is not one such as");
  }
});

describe("W8: a rate limiter", () => {
  it("counts in windows", () => {
    let time = 0;
    const limiter = createRateLimiter({ limit: 2, windowMs: 10_000, now: () => time });
    expect([limiter.check("a"), limiter.count("a"), limiter.count("a"), limiter.count("a")]).toEqual([0, 0, 0, 10]);
    expect([limiter.check("a"), limiter.check("b")]).toEqual([10, 0]);
    time = 9500;
    expect(limiter.check("a")).toBe(1);
    time = 10_000;
    expect([limiter.check("a"), limiter.count("a")]).toEqual([0, 0]);
  });

  it("remembers a bounded number of keys", () => {
    const limiter = createRateLimiter({ limit: 1, windowMs: 60_000, maxKeys: 100 });
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 100_000; index++) limiter.count(`key ${index}`);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024);
    expect(limiter.check("key 99999")).toBeGreaterThan(0);
    expect(limiter.check("key 0")).toBe(0);
  });

  it.each([
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:0DB8:1:2:9::", "2001:db8:1:2"],
    ["2001:db8::3:4:5:6", "2001:db8:0:0"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["2001:db8:1::9:9:9:9", "2001:db8:1:0"],
    ["2001:db8:1:0:9:9:9:9", "2001:db8:1:0"],
    ["fe80::a:b:c:d%eth0", "fe80:0:0:0"],
    ["::1", "0:0:0:0"],
    ["64:ff9b::10.0.0.1", "64:ff9b:0:0"],
    ["[2001:db8:1:2::9]:4711", "2001:db8:1:2"],
    ["10.0.0.1", "10.0.0.1"],
    ["10.0.0.1:4711", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["unknown", "unknown"],
    ["", ""],
  ])("takes the network of %s for one client", (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

describe("W12: problems", () => {
  it("say nothing of what is inside", () => {
    const inner = new Error("SQLITE_ERROR near /srv/secrets.db: hunter2");
    expect(toProblem(toKnownError(inner), "id")).toEqual({
      type: "about:blank",
      title: "Internal Server Error",
      status: 500,
      detail: "The request failed because of a defect or a failure of the server",
      code: "INTERNAL",
      requestId: "id",
    });
    expect(toKnownError("hunter2").message).not.toContain("hunter2");
  });
});

import { createHash } from "node:crypto";
import dns, { type LookupAddress, type LookupOptions } from "node:dns";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createHttpActions } from "../../src/http/http-plugin.ts";
import { createNetworkGuard, type NetworkOptions } from "../../src/http/network-guard.ts";
import { requestAction } from "./actions.ts";
import { startServer } from "./test-server.ts";

/** What the name server answers, one after the other; the last answer stays. */
const answers = new Map<string, string[][]>();

const realLookup = dns.lookup;

type Lookup = (
  name: string,
  options: LookupOptions,
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

const nameServer: Lookup = (name, options, callback) => {
  const known = answers.get(name);
  const addresses = (known !== undefined && known.length > 1 ? known.shift() : known?.[0]) ?? [];
  if (known === undefined) Reflect.apply(realLookup, dns, [name, options, callback]);
  else
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
};

beforeEach(() => {
  answers.clear();
  vi.spyOn(dns, "lookup").mockImplementation(nameServer as typeof dns.lookup);
});
afterEach(() => void vi.restoreAllMocks());

const ADDRESS = "it is not allowed: the address of its host may not be connected to";
const DENY: NetworkOptions = { privateNetworks: "deny" };

function check(url: string, options: NetworkOptions = {}, isProxied = false): void {
  createNetworkGuard(options).check({ url: new URL(url), headers: {} }, isProxied);
}

/** The address in each spelling that a URL can have. */
const METADATA = [
  "169.254.169.254",
  "169.254.169.254.",
  "2852039166",
  "0xa9fea9fe",
  "0xA9.0xFE.0xA9.0xFE",
  "0251.0376.0251.0376",
  "025177524776",
  "169.254.43518",
  "169.16689662",
  "①⑥⑨.254.169.254",
  "169%2e254%2e169%2e254",
  "[::ffff:169.254.169.254]",
  "[::ffff:a9fe:a9fe]",
  "[0:0:0:0:0:ffff:a9fe:a9fe]",
  "[::169.254.169.254]",
  "[::ffff:0:a9fe:a9fe]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:a9fe:a9fe::1]",
  "169.254.0.1",
  "[fe80::1]",
  "[febf::1]",
  "[fd00:ec2::254]",
  "[fd20:ce::254]",
  "100.100.100.200",
  "168.63.129.16",
  "metadata.google.internal",
  "METADATA.google.internal.",
  "metadata.goog",
  "instance-data",
];

describe("S1: metadata services and link-local addresses", () => {
  it.each(METADATA)("never %s", async (host) => {
    expect(() => check(`http://${host}/latest`)).toThrow(ADDRESS);
    expect(() => check(`http://${host}:8080/`, { ...DENY, allowHosts: [host, `${host}:8080`] })).toThrow(ADDRESS);
    expect(() => check(`http://${host}/`, {}, true)).toThrow(ADDRESS);
    await expect(runAction(requestAction, { url: `http://${host}/` })).rejects.toMatchObject({
      code: "HTTP_NOT_ALLOWED",
      retryable: false,
      message: expect.stringContaining(`failed: ${ADDRESS}`),
    });
  });

  it.each(["never", "same-origin", "always"])("does not follow a redirect to one with %s", async (followRedirects) => {
    const { origin } = await startServer((response) =>
      response.writeHead(302, { location: "http://[::ffff:a9fe:a9fe]/latest/meta-data" }).end(),
    );
    const result = await runAction(requestAction, { url: origin, followRedirects }).then(
      ({ output }) => output.status,
      ({ code }) => code,
    );
    expect(result).toBe({ never: 302, "same-origin": "HTTP_REDIRECT", always: "HTTP_NOT_ALLOWED" }[followRedirects]);
  });

  it("checks the address at each connection: a name that flips to one gets nothing", async () => {
    const { origin, received } = await startServer((response) =>
      response.writeHead(302, { location: "/next", connection: "close" }).end(),
    );
    answers.set("flip.test", [["127.0.0.1"], ["169.254.169.254"]]);
    const url = origin.replace("127.0.0.1", "flip.test");
    await expect(runAction(requestAction, { url })).rejects.toMatchObject({
      code: "HTTP_NOT_ALLOWED",
      message: `GET ${url} failed: ${ADDRESS}`,
    });
    expect(received.map((one) => one.url)).toEqual(["/"]);
  });

  it("connects to the other addresses of a name", async () => {
    const { origin } = await startServer((response) => response.end("here"));
    answers.set("two.test", [["169.254.169.254", "fe80::1%eth0", "127.0.0.1"]]);
    const { output } = await runAction(requestAction, {
      url: origin.replace("127.0.0.1", "two.test"),
      response: "text",
    });
    expect(output.body).toBe("here");
  });
});

const PRIVATE = [
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0x7f000001",
  "017700000001",
  "0.0.0.0",
  "0",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "100.64.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[::127.0.0.1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:10.0.0.1]",
  "[64:ff9b::10.0.0.1]",
  "[64:ff9b:1::1]",
  "[2002:7f00:1::]",
  "[fc00::1]",
  "[fdff::1]",
  "[fec0::1]",
  "[ff02::1]",
];

const PUBLIC = [
  "8.8.8.8",
  "172.32.0.1",
  "100.128.0.1",
  "[2606:4700::1]",
  "[::ffff:8.8.8.8]",
  "[64:ff9b::8.8.8.8]",
  "[2002:808:808::1]",
];

describe("S1: loopback and private networks", () => {
  it.each(PRIVATE)("%s: allowed, refused under deny, allowed again where the host is listed", (host) => {
    const url = `http://${host}:8080/`;
    check(url);
    expect(() => check(url, DENY)).toThrow(ADDRESS);
    check(url, { ...DENY, allowHosts: [host] });
    check(url, { ...DENY, allowHosts: [`${host}:8080`] });
    expect(() => check(url, { ...DENY, allowHosts: [`${host}:8081`] })).toThrow(ADDRESS);
  });

  it.each(PUBLIC)("%s is public", (host) => check(`http://${host}/`, DENY));

  it("refuses a name whose only addresses are private, and one on another hop", async () => {
    const inner = await startServer((response) => response.end("inner"));
    const { request } = createHttpActions({ ...DENY, allowHosts: ["front.test"] });
    answers.set("inner.test", [["127.0.0.1", "::1"]]);
    answers.set("front.test", [["127.0.0.1"]]);
    const url = inner.origin.replace("127.0.0.1", "inner.test");
    const failure = { code: "HTTP_NOT_ALLOWED", message: expect.stringContaining(ADDRESS) };
    await expect(runAction(request, { url })).rejects.toMatchObject(failure);
    const outer = await startServer((response) => response.writeHead(302, { location: url }).end());
    const front = outer.origin.replace("127.0.0.1", "front.test");
    await expect(runAction(request, { url: front, followRedirects: "always" })).rejects.toMatchObject(failure);
    expect(outer.received).toHaveLength(1);
    expect(inner.received).toEqual([]);
  });

  it("gives a socket the public addresses of a name, one or all as it asks", async () => {
    answers.set("mixed.test", [["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"]]);
    const find = createNetworkGuard(DENY).lookupFor(new URL("http://mixed.test/"));
    const ask = async (options: LookupOptions) =>
      await new Promise((resolve) => find("mixed.test", options, (...answer) => resolve(answer)));
    expect(await ask({ all: true })).toEqual([
      null,
      [
        { address: "8.8.8.8", family: 4 },
        { address: "2606:4700::1", family: 6 },
      ],
    ]);
    expect(await ask({})).toEqual([null, "8.8.8.8", 4]);
  });

  it("refuses localhost by the name service of this machine", async () => {
    const { origin } = await startServer((response) => response.end());
    const { request } = createHttpActions(DENY);
    await expect(runAction(request, { url: origin.replace("127.0.0.1", "localhost") })).rejects.toThrow(ADDRESS);
  });

  it("still says that a name does not exist", async () => {
    const { request } = createHttpActions(DENY);
    await expect(runAction(request, { url: "http://no.such.name.invalid/" })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
    });
  });

  it("allows only listed hosts through a proxy, whose addresses cannot be seen", () => {
    const options = { ...DENY, allowHosts: ["api.example.com"] };
    check("https://api.example.com/", options, true);
    check("https://other.example.com/", {}, true);
    expect(() => check("https://other.example.com/", options, true)).toThrow(
      "the address behind the proxy is not known",
    );
  });
});

describe("hosts that the secrets of a task allow", () => {
  const network = (...hosts: string[]) => ({ network: { hosts } });

  it("are the only ones that get a request", async () => {
    const { origin, received } = await startServer((response) => response.end());
    const { host } = new URL(origin);
    await runAction(requestAction, { url: origin }, network(host));
    await runAction(requestAction, { url: origin }, network("127.0.0.1"));
    for (const hosts of [["api.example.com", "*.example.com:8443"], [`${host}1`], []]) {
      const only = hosts.join(", ") || "no host";
      await expect(runAction(requestAction, { url: origin }, network(...hosts))).rejects.toMatchObject({
        code: "HTTP_NOT_ALLOWED",
        retryable: false,
        message: `GET ${origin} failed: it is not allowed: its secrets may be sent to ${only} only`,
      });
    }
    expect(received).toHaveLength(2);
  });

  it("are obeyed on each redirect, even if nothing is taken along", async () => {
    const other = await startServer((response) => response.end());
    const first = await startServer((response) => response.writeHead(307, { location: other.origin }).end());
    const run = runAction(
      requestAction,
      { url: first.origin, followRedirects: "always" },
      network(new URL(first.origin).host),
    );
    await expect(run).rejects.toMatchObject({
      code: "HTTP_NOT_ALLOWED",
      message: expect.stringContaining(`GET ${first.origin}, redirected to ${other.origin}, failed: it is not allowed`),
    });
    expect(other.received).toEqual([]);
  });

  it.each(["evil.example", "evil.example:1", ":", "a b"])("are obeyed by the Host header %s", async (host) => {
    const { origin, received } = await startServer((response) => response.end());
    const run = runAction(requestAction, { url: origin, headers: { Host: host } }, network("127.0.0.1"));
    await expect(run).rejects.toMatchObject({ code: "HTTP_NOT_ALLOWED" });
    await runAction(requestAction, { url: origin, headers: { Host: "api.test" } }, network("127.0.0.1", "api.test"));
    expect(received.map(({ headers }) => headers.host)).toEqual(["api.test"]);
  });
});

it("finds no address of another class by chance", () => {
  for (let n = 0; n < 2000; n++) {
    const [a = 0, b = 0, c = 0, d = 0] = createHash("sha256").update(String(n)).digest();
    const isNever = a === 169 && b === 254;
    const isPrivate = isNever || a === 0 || a === 10 || a === 127 || a >= 224 || (a === 192 && b === 168);
    const isRare = [100, 172, 192, 198].includes(a);
    for (const host of [`${a}.${b}.${c}.${d}`, `[::ffff:${a}.${b}.${c}.${d}]`, `[64:ff9b::${a}.${b}.${c}.${d}]`]) {
      if (isNever) expect(() => check(`http://${host}/`)).toThrow();
      else check(`http://${host}/`);
      if (isRare) continue;
      if (isPrivate) expect(() => check(`http://${host}/`, DENY)).toThrow();
      else check(`http://${host}/`, DENY);
    }
  }
});

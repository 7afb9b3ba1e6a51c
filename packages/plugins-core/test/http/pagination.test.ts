import { invokeAction } from "@autokestra/plugin-sdk";
import { createTestContext, type TestContext } from "@autokestra/plugin-sdk/testing";
import { describe, expect, it } from "vitest";
import type { HttpResponse } from "../../src/http/response.ts";
import { requestAction } from "./actions.ts";
import { type ReceivedRequest, startServer, type TestServer } from "./test-server.ts";

interface Page {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly status?: number;
}

/** A server of pages, of which each path is one. */
async function startPages(pages: (origin: string) => Record<string, Page>): Promise<TestServer> {
  const server: TestServer = await startServer((response, { url = "" }: ReceivedRequest) => {
    const { body = {}, headers = {}, status = 200 } = pages(server.origin)[url] ?? { status: 404 };
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  });
  return server;
}

async function read(input: object, context: TestContext = createTestContext()): Promise<HttpResponse> {
  return await invokeAction(requestAction, { paginate: { next: "body.next" }, ...input }, context);
}

describe("pages", () => {
  it("are read to the last one, each with headers and auth, without the query of the first", async () => {
    const { origin, received } = await startPages((own) => ({
      "/list?size=2": { body: { items: [1, 2], next: `${own}/list?page=2#here` } },
      "/list?page=2": { body: { items: [3, 4], next: "?page=3" } },
      "/list?page=3": { body: { items: [5], next: null }, headers: { "x-last": "yes" } },
    }));
    const output = await read({
      url: `${origin}/list`,
      query: { size: 2 },
      auth: { bearer: "T" },
      headers: { "x-a": "b" },
    });
    expect(output).toMatchObject({
      status: 200,
      url: `${origin}/list?page=3`,
      headers: { "x-last": "yes" },
      body: { items: [5], next: null },
      pages: [{ items: [1, 2] }, { items: [3, 4] }, { items: [5] }],
    });
    expect(received.map(({ url }) => url)).toEqual(["/list?size=2", "/list?page=2", "/list?page=3"]);
    for (const { headers } of received) expect(headers).toMatchObject({ authorization: "Bearer T", "x-a": "b" });
  });

  it("send method and body again", async () => {
    const { origin, received } = await startPages(() => ({ "/": { body: { next: "/2" } }, "/2": {} }));
    await read({ url: origin, method: "POST", body: { q: 1 } });
    expect(received.map(({ method, body }) => `${method} ${body}`)).toEqual(['POST {"q":1}', 'POST {"q":1}']);
  });

  it("go on from where a redirect led", async () => {
    const { origin, received } = await startPages(() => ({
      "/search": { status: 303, headers: { location: "/results/1" } },
      "/results/1": { body: { next: "2" } },
      "/results/2": {},
    }));
    await read({ url: `${origin}/search`, method: "POST", body: "q" });
    expect(received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /search",
      "GET /results/1",
      "GET /results/2",
    ]);
  });

  it.each<[string, Page]>([
    ["body.next", { body: { next: "/2" } }],
    ["body.links.next.href", { body: { links: { next: { href: "/2" } } } }],
    ["body.links.1.href", { body: { links: [{ href: "/" }, { href: "/2" }] } }],
    ["body.@odata.nextLink", { body: { "@odata.nextLink": "/2" } }],
    ["body.a.b.c", { body: { a: {}, "a.b": { c: "/2" } } }],
    ["headers.x-next", { headers: { "x-next": "/2" } }],
    ["headers.link", { headers: { link: '</1>; rel="prev first", </2>; title="a, b"; rel=next' } }],
    ["headers.link", { headers: { link: '</2>; rel="last NEXT"' } }],
  ])("%s leads to the next one", async (next, first) => {
    const { origin } = await startPages(() => ({ "/": first, "/2": { body: { last: true } } }));
    expect((await read({ url: origin, paginate: { next } })).pages).toHaveLength(2);
  });

  it.each<[string, Page]>([
    ["body.next", { body: {} }],
    ["body.next", { body: { next: null } }],
    ["body.next", { body: { next: "" } }],
    ["body.next", { body: [] }],
    ["body.next", { body: "/2" }],
    ["body.next.href", { body: { next: null } }],
    ["body.constructor", { body: {} }],
    ["headers.link", {}],
    ["headers.link", { headers: { link: '</2>; rel="prev"; title="rel=next"' } }],
    ["headers.link", { headers: { link: "</2>" } }],
  ])("%s has no next one in %j", async (next, first) => {
    const { origin, received } = await startPages(() => ({ "/": first }));
    expect((await read({ url: origin, paginate: { next } })).pages).toHaveLength(1);
    expect(received).toHaveLength(1);
  });

  it("are read up to maxPages, and a warning says that there are more", async () => {
    const { origin, received } = await startServer((response, { url = "" }) =>
      response.setHeader("content-type", "application/json").end(`{"next":"/${Number(url.slice(1)) + 1}"}`),
    );
    const context = createTestContext();
    const { pages } = await read({ url: `${origin}/0`, paginate: { next: "body.next", maxPages: 3 } }, context);
    expect(pages).toEqual([{ next: "/1" }, { next: "/2" }, { next: "/3" }]);
    expect(received).toHaveLength(3);
    expect(context.lines).toEqual([
      { level: "warn", message: "stopped after 3 pages, as maxPages says, and there are more" },
    ]);
  });

  it("have cookies, and their tokens are masked", async () => {
    const { origin, received } = await startPages(() => ({
      "/": { body: { next: "/2", access_token: "t0ken-of-page-1" }, headers: { "set-cookie": "k=cursor-4711" } },
      "/2": {},
    }));
    const context = createTestContext();
    await read({ url: origin }, context);
    expect(received[1]?.headers.cookie).toBe("k=cursor-4711");
    expect(context.masked.map(({ value }) => value)).toContain("t0ken-of-page-1");
  });
});

describe("a next page that cannot be read fails the task", () => {
  async function fail(pages: (origin: string) => Record<string, Page>, input: object = {}) {
    const server = await startPages(pages);
    const error: unknown = await read({ url: `${server.origin}/`, ...input }).then(
      () => expect.fail("it has not failed"),
      (reason: unknown) => reason,
    );
    return { error, ...server };
  }

  it.each(["same-origin", "always", "never"])("at another origin, with %s", async (followRedirects) => {
    const other = await startServer((response) => response.end());
    const next = `${other.origin}/2?key=canary-4711`;
    const input = { followRedirects, auth: { bearer: "canary-4711" } };
    const { error, origin } = await fail(() => ({ "/": { body: { next } } }), input);
    expect(error).toMatchObject({
      code: "HTTP_PAGINATION",
      status: 200,
      retryable: false,
      message: `GET ${origin} failed after status 200: the next page is at another origin, ${other.origin}`,
    });
    expect(other.received).toEqual([]);
  });

  it.each([["//other.test/2"], ["https://127.0.0.1/2"], ["http://localhost:1/"]])("at %s", async (next) => {
    const { error } = await fail(() => ({ "/": { body: { next } } }));
    expect(error).toMatchObject({ code: "HTTP_PAGINATION", message: expect.stringContaining("at another origin") });
  });

  it.each([
    [7],
    [true],
    [{ href: "/2" }],
    [["/2"]],
    ["http://"],
    ["ftp://a.test/"],
    ["javascript:alert(1)"],
    [`http://a${"b".repeat(20_000)}/`],
  ])("at %j", async (next) => {
    const { error } = await fail(() => ({ "/": { body: { next } } }));
    expect(error).toMatchObject({
      code: "HTTP_PAGINATION",
      message: expect.stringContaining("failed after status 200: `body.next` is neither a URL nor null"),
    });
  });

  it("in a circle", async () => {
    const pages = { "/": { body: { next: "/2" } }, "/2": { body: { next: "/3#x" } }, "/3": { body: { next: "/2" } } };
    const { error, origin, received } = await fail(() => pages);
    expect(error).toMatchObject({
      code: "HTTP_PAGINATION",
      message: `GET ${origin} (page 3) failed after status 200: the next page is one that was already read`,
    });
    expect(received).toHaveLength(3);
  });

  it("with a status", async () => {
    const pages = { "/": { body: { next: "/2" } }, "/2": { status: 503, headers: { "retry-after": "7" } } };
    const { error, origin } = await fail(() => pages);
    expect(error).toMatchObject({
      code: "HTTP_STATUS",
      status: 503,
      retryable: true,
      retryAfterSeconds: 7,
      message: `GET ${origin} (page 2) failed: status 503 Service Unavailable: {}`,
    });
  });

  it("that makes all of them larger than maxResponseBytes", async () => {
    const page = (next: string | null) => ({ body: { next, text: "x".repeat(400) } });
    const pages = { "/": page("/2"), "/2": page("/3"), "/3": page(null) };
    const { error, origin } = await fail(() => pages, { maxResponseBytes: 1000 });
    expect(error).toMatchObject({
      code: "HTTP_RESPONSE",
      message: `GET ${origin} (page 3) failed after status 200: the response is larger than maxResponseBytes`,
    });
  });
});

it("has a time limit for each page", async () => {
  const { origin } = await startServer((response, { url = "" }) => {
    const page = Number(url.slice(1));
    response.setHeader("content-type", "application/json");
    setTimeout(() => response.end(page < 12 ? `{"next":"/${page + 1}"}` : "{}"), 100);
  });
  expect((await read({ url: `${origin}/1`, timeoutSeconds: 1 })).pages).toHaveLength(12);
});

it.each([[{ next: "next" }], [{ next: "body." }], [{ next: "url" }], [{ next: "body.next", maxPages: 0 }], [{}]])(
  "refuses %j",
  async (paginate) => {
    await expect(read({ url: "http://127.0.0.1:1", paginate })).rejects.toThrow("Invalid input: paginate.");
  },
);

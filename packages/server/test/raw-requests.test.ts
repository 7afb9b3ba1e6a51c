// @module-tag faults
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOOK_PATH } from "../src/hooks-api.ts";
import { OPEN_PATHS } from "../src/operations-api.ts";
import { readPage } from "../src/page.ts";
import { createRunsPlace, type RunsPlace } from "./runs-place.ts";
import { call } from "./server-place.ts";

const WORKFLOW = "canary-flow";
const HOOK = "trigger: { type: webhook, secret: CANARY_NAME, signature: hmac-sha256 }";
const SAY = '{ id: canary-task, type: core/console.log, inputs: { message: "canary-message" } }';

const LONG = process.env["LONG_TESTS"] === "true";

let place: RunsPlace;
let port: number;
let id: string;
let run: string;
let token: string;

beforeAll(async () => {
  place = await createRunsPlace({
    "canary.yaml": `{ apiVersion: v1, id: ${WORKFLOW}, secrets: [CANARY_NAME], ${HOOK}, tasks: [${SAY}] }`,
  });
  const input = {
    name: "CANARY_NAME",
    type: "apiKey",
    fields: { value: "canary-value-2941" },
    tags: ["canary-tag"],
  } as const;
  id = (await place.manager.secrets.create(input)).id;
  token = await place.token("admin");
  run = (await call(place.app, "POST", "/api/runs", token, { payload: { workflow: WORKFLOW } })).json().execution;
  await place.ended(run);
  await place.app.listen({ port: 0, host: "127.0.0.1" });
  port = (place.app.server.address() as { port: number }).port;
});
afterAll(async () => await place.close());

/** Sends bytes as they are. @returns all that comes back */
async function raw(request: string, waitMs = 60_000): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.setEncoding("utf8");
    socket.on("data", (data) => {
      answer += data;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.write(request);
  });
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

interface Route {
  /** With the ids of what is there. */
  readonly path: string;
  readonly methods: readonly string[];
  readonly isOpen: boolean;
}

/** Every route of the server, as its router has it: with and without a slash at the end, and those that the description does not show. */
function routes(): readonly Route[] {
  const parents: string[] = [];
  const open = new Set([...OPEN_PATHS, ...readPage().map(({ path }) => path), HOOK_PATH]);
  return [...place.app.printRoutes({ commonPrefix: false }).matchAll(/^(.*?)[├└]── (\S+) \((.+)\)$/gm)].map(
    ([, indent = "", part = "", methods = ""]) => {
      const depth = indent.length / 4;
      const pattern = (parents[depth - 1] ?? "") + part;
      parents[depth] = pattern;
      const known = pattern.startsWith("/api/secrets") ? id : pattern.startsWith("/api/runs") ? run : WORKFLOW;
      return {
        path: pattern.replace(":id", known).replace(":name", "CANARY_NAME"),
        methods: methods.split(", "),
        isOpen: open.has(pattern) || open.has(pattern.replace(/\/$/, "")),
      };
    },
  );
}

function message(line: string, headers: readonly string[] = [], body = ""): string {
  const host = headers.some((header) => /^host\b/i.test(header)) ? [] : ["Host: localhost"];
  const length = body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return [`${line} HTTP/1.1`, ...host, "Connection: close", ...headers, ...length, "", body].join("\r\n");
}

describe("without a token", () => {
  const paths = (known: string) => [
    "/api/secrets",
    "/api/secrets/",
    "//api/secrets",
    "/api//secrets",
    "/api/./secrets",
    "/api/x/../secrets",
    "/health/live/../../api/secrets",
    "/docs/../api/secrets",
    "/docs/%2e%2e/api/secrets",
    "/openapi.json/../api/secrets",
    "/api/secrets%2f",
    "/api%2fsecrets",
    "/%61pi/secrets",
    "/API/SECRETS",
    "/api/secrets;x",
    "/api/secrets?",
    "/api/secrets#x",
    "/api/secrets/..;/secrets",
    "/api\\secrets",
    "/api/secrets%00",
    "/api/secrets%",
    "/api/secrets/%ff",
    "/api/secrets.json",
    `/api/secrets/${known}`,
    `/api/secrets/${known}/decrypt`,
    `/api/secrets/${known}/decrypt/`,
    `/api/secrets/${known}/decrypt/x`,
    "/api/secrets/name/CANARY_NAME",
    "/api/secrets/name/..%2f..%2f..%2fetc%2fpasswd",
    "/../../etc/passwd",
    "/docs/../../etc/passwd",
    "/assets/../api/secrets",
    "/assets/..%2f..%2f..%2fpackage.json",
    "/assets/",
    "/index.html",
    "/metrics",
    "/metrics/",
    "/metrics?x=1",
    "/docs/style.css/../../metrics",
    "/health/live/metrics",
    "/secrets.db",
    "/.workflow",
    "http://localhost/api/secrets",
    "http://evil.example/api/secrets",
    "*",
    `/api/secrets/?token=TOKEN&access_token=TOKEN`,
  ];
  const headers = [
    [],
    ["Host: evil.example"],
    ["Origin: https://evil.example"],
    ["Authorization: Bearer"],
    ["Authorization: Bearer null"],
    ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Forwarded-Host: localhost", "Forwarded: for=127.0.0.1"],
    ["X-Original-URL: /health/live", "X-Rewrite-URL: /health/live", "X-HTTP-Method-Override: GET"],
    ["Accept: text/event-stream", "Range: bytes=0-10", "Cookie: token=1", "__proto__: x", "constructor: y"],
    ["Authorization: Basic YWRtaW46YWRtaW4=", "X-Api-Key: admin"],
  ];

  /** Those of a route or path: without LONG_TESTS none, and a third of the others, so that each is sent to every third. */
  const headersOf = (index: number) => headers.filter((_, at) => LONG || at === 0 || at % 3 === index % 3);

  const hasData = (answer: string) =>
    /canary|CANARY|root:x:|autokestra_http|process_cpu/.test(answer) || answer.includes(id) || answer.includes(run);

  it("no route gives anything but the page, health and the description", async () => {
    const all = routes();
    const requests = all.flatMap(({ path, methods, isOpen }, index) => {
      const isSpelledOtherwise = path.endsWith("/");
      const lines = methods.flatMap((method) =>
        (isOpen || isSpelledOtherwise || method === "HEAD" ? [[]] : headersOf(index)).map((more) =>
          message(`${method} ${path}`, more),
        ),
      );
      const detours = isOpen || isSpelledOtherwise ? [] : ["/docs/..", "/health/live/../..", "/assets/%2e%2e", "/"];
      return [...lines, ...detours.map((before) => message(`GET ${before}${path}`))].map((sent) => ({ sent, isOpen }));
    });
    const wrong: string[] = [];
    for (let start = 0; start < requests.length; start += 20) {
      await Promise.all(
        requests.slice(start, start + 20).map(async ({ sent, isOpen }) => {
          const answer = await raw(sent);
          const status = statusOf(answer);
          // A webhook is open, and not signed.
          const expected = sent.includes("Host: evil") ? 421 : isOpen && !sent.startsWith("POST") ? 200 : 401;
          if (hasData(answer) || status !== expected) wrong.push(`${status} ${sent}`);
        }),
      );
    }
    const open = all.filter(({ isOpen }) => isOpen).length;
    console.log(`${all.length} routes, ${open} of them open: ${requests.length} requests, ${wrong.length} wrong`);
    expect(wrong).toEqual([]);
    for (const path of [
      `/api/runs/${run}/events`,
      `/api/workflows/${WORKFLOW}/graph/`,
      `/api/secrets/${id}/usage`,
      "/api/audit",
    ])
      expect(all).toContainEqual(expect.objectContaining({ path, isOpen: false }));
  });

  it("no request is answered with data", async () => {
    const requests = paths(id).flatMap((path, index) => headersOf(index).map((lines) => message(`GET ${path}`, lines)));
    for (const method of [
      "HEAD",
      "POST",
      "PUT",
      "DELETE",
      "PATCH",
      "OPTIONS",
      "TRACE",
      "PROPFIND",
      "SEARCH",
      "get",
      "FOO",
    ]) {
      for (const path of [`/api/secrets/${id}/decrypt`, "/api/secrets", "/metrics"]) {
        requests.push(message(`${method} ${path}`), message(`${method} ${path}`, ["Origin: null"], "{}"));
      }
    }
    const figures = { requests: requests.length, withData: [] as string[], statuses: {} as Record<number, number> };
    for (let start = 0; start < requests.length; start += 20) {
      const answers = await Promise.all(requests.slice(start, start + 20).map(async (request) => await raw(request)));
      for (const [index, answer] of answers.entries()) {
        const status = statusOf(answer);
        figures.statuses[status] = (figures.statuses[status] ?? 0) + 1;
        // The router takes `*` for `/`, where the page is.
        const isPage = answer.includes("<title>autokestra</title>");
        if (hasData(answer) || (status === 200 && !isPage)) figures.withData.push(requests[start + index] ?? "");
      }
    }
    console.log(`${figures.requests} requests, ${figures.withData.length} with data`, JSON.stringify(figures.statuses));
    expect(figures.withData).toEqual([]);
    expect(figures.requests).toBeGreaterThan(LONG ? 390 : 190);
    expect(Object.keys(figures.statuses).every((status) => Number(status) < 500 && Number(status) > 0)).toBe(true);
  });
});

describe("with a token", () => {
  const bearer = () => `Authorization: Bearer ${token}`;
  const json = "Content-Type: application/json";

  it.each<[string, () => string, number]>([
    ["two tokens", () => message("GET /api/secrets", [bearer(), bearer()]), 401],
    ["a foreign host", () => message("GET /api/secrets", [bearer(), "Host: evil.example"]), 421],
    ["two hosts", () => message("GET /api/secrets", [bearer(), "Host: localhost", "Host: evil.example"]), 421],
    ["a foreign host in the request line", () => message("GET http://evil.example/api/secrets", [bearer()]), 421],
    ["its own host in the request line", () => message("GET http://localhost/api/secrets", [bearer()]), 200],
    ["an unknown expectation", () => message("PATCH /api/secrets", [bearer(), "Expect: 200-maybe"]), 405],
    ["two lengths", () => message("POST /api/secrets", [bearer(), json, "Content-Length: 1"], "{}"), 400],
    [
      "a length and chunks",
      () => message("POST /api/secrets", [bearer(), json, "Transfer-Encoding: chunked"], "{}"),
      400,
    ],
    [
      "text",
      () => message("POST /api/secrets", [bearer(), "Content-Type: text/plain"], '{"name":"A","value":"v"}'),
      415,
    ],
    [
      "a form",
      () => message("POST /api/secrets", [bearer(), "Content-Type: application/x-www-form-urlencoded"], "a=b"),
      415,
    ],
    ["a body without a type", () => message("POST /api/secrets", [bearer()], "{}"), 415],
    ["another charset", () => message("POST /api/secrets", [bearer(), `${json}; charset=utf-16`], "{}"), 415],
    ["a compressed body", () => message("POST /api/secrets", [bearer(), json, "Content-Encoding: gzip"], "xx"), 415],
    ["no JSON", () => message("POST /api/secrets", [bearer(), json], "{"), 400],
    ["an empty body", () => message("POST /api/secrets", [bearer(), json, "Content-Length: 0"]), 400],
    ["TRACE", () => message("TRACE /api/secrets", [bearer()]), 405],
    ["PROPFIND", () => message("PROPFIND /api/secrets", [bearer()]), 405],
    ["PATCH", () => message("PATCH /api/secrets/x", [bearer(), json], "{}"), 405],
    ["QUERY", () => message("QUERY /api/secrets", [bearer()]), 405],
    ["PUT on all", () => message("PUT /api/secrets/", [bearer(), json], "{}"), 405],
    [
      "a method that a path has not, with a body that is none",
      () => message("PATCH /api/secrets", [bearer()], "{"),
      405,
    ],
    ["an unknown method", () => message("FOO /api/secrets", [bearer()]), 400],
    ["HEAD of a value", () => message(`HEAD /api/secrets/${id}/decrypt`, [bearer()]), 405],
    ["a path that is none", () => message("GET /api/secrets/%", [bearer()]), 400],
    ["traversal", () => message("GET /api/secrets/../../etc/passwd", [bearer()]), 404],
    [
      "a foreign origin",
      () => message("POST /api/secrets", [bearer(), json, "Origin: https://evil.example"], "{}"),
      403,
    ],
    ["no origin", () => message("DELETE /api/secrets/x", [bearer(), "Origin: null"]), 403],
    ["another site", () => message("DELETE /api/secrets/x", [bearer(), "Sec-Fetch-Site: cross-site"]), 403],
    [
      "fields that are ours to say",
      () =>
        message(
          "POST /api/secrets",
          [bearer(), json],
          '{"name":"A","value":"v","id":"x","iv":"y","version":7,"createdAt":"z"}',
        ),
      400,
    ],
    ["a key twice", () => message("POST /api/secrets", [bearer(), json], '{"name":"A","value":"v","value":"w"}'), 400],
    [
      "a reserved key",
      () => message("POST /api/secrets", [bearer(), json], '{"name":"A","value":"v","__proto__":{}}'),
      400,
    ],
    ["a reserved header", () => message("GET /api/secrets", [bearer(), "__proto__: x", "constructor: x"]), 200],
    ["a long name", () => message(`GET /api/secrets/name/${"A".repeat(255)}`, [bearer()]), 404],
    ["a longer one", () => message(`GET /api/secrets/name/${"A".repeat(5000)}`, [bearer()]), 404],
  ])("%s", async (_, request, status) => {
    const answer = await raw(request());
    expect([statusOf(answer), answer.split("\r\n\r\n")[0]]).toEqual([status, expect.any(String)]);
    expect(answer).not.toMatch(/Access-Control|canary-value|\/src\/|\.ts:|SQLITE/i);
  });

  it("W7: a body of 100 MB ends early, and 1 MiB is the most", async () => {
    const large = message("POST /api/secrets", [bearer(), json, `Content-Length: ${100 * 1024 * 1024}`]);
    expect(statusOf(await raw(large))).toBe(413);
    const chunk = "x".repeat(64 * 1024);
    const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(20);
    const chunked = `${message("POST /api/secrets", [bearer(), json, "Transfer-Encoding: chunked"])}${chunks}0\r\n\r\n`;
    expect([413, 0]).toContain(statusOf(await raw(chunked)));
  });

  it("W8: slow clients keep nobody waiting", async () => {
    const slow = Array.from({ length: 200 }, () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write("GET /api/secrets HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
      return socket;
    });
    expect(statusOf(await raw(message("GET /api/secrets", [bearer()])))).toBe(200);
    expect(slow.filter(({ destroyed }) => destroyed)).toEqual([]);
    for (const socket of slow) socket.destroy();
  });

  it("W4, W15: metadata have no value, and no log has a token, a value or a path", async () => {
    for (const path of ["", `/${id}`, "/name/CANARY_NAME", `/${id}/fields`, `/${id}/versions`, "?prefix=CANARY"]) {
      const answer = await raw(message(`GET /api/secrets${path}`, [bearer()]));
      expect([statusOf(answer), answer.includes("canary-value")]).toEqual([200, false]);
    }
    await raw(message(`GET /api/secrets/${id}/decrypt?field=value`, [bearer()]));
    const log = place.log.join("");
    expect(log).not.toMatch(/canary|CANARY|ak_|Bearer|passwd|\?/);
    expect(log).toContain('"route":"/api/secrets/:id/decrypt"');
  });

  it("W12: what breaks inside is said without what is inside", async () => {
    const app = await place.serve({
      secretsFor: (context) => ({
        ...place.manager.as(context),
        list: async () => await Promise.reject(new Error("SQLITE_BUSY: /srv/secrets.db at x.ts:1 canary-value")),
      }),
    });
    const answer = await app.inject({
      url: "/api/secrets",
      headers: { host: "localhost", authorization: `Bearer ${token}` },
    });
    expect(answer.statusCode).toBe(500);
    expect(Object.keys(answer.json())).toEqual(["type", "title", "status", "detail", "code", "requestId"]);
    expect(answer.body).not.toMatch(/SQLITE|secrets\.db|\.ts|canary/);
    expect(place.log.join("")).not.toMatch(/SQLITE|secrets\.db|canary/);
  });

  it("W13: nothing is given out while the audit log cannot be written", async () => {
    const { loadSqlite } = await import("@autokestra/sqlite");
    const database = (await loadSqlite()).open(`${place.folder}/secrets/access.db`, { mode: "rw" });
    database.exec("BEGIN IMMEDIATE");
    const answer = await raw(message(`GET /api/secrets/${id}/decrypt`, [bearer()]));
    expect([statusOf(answer), answer.includes("canary-value"), answer.includes("AUDIT_UNAVAILABLE")]).toEqual([
      503,
      false,
      true,
    ]);
    expect(statusOf(await raw(message(`GET /api/secrets/${id}`, [bearer()])))).toBe(200);
    database.exec("ROLLBACK");
    database.close();
    expect(await raw(message(`GET /api/secrets/${id}/decrypt`, [bearer()]))).toContain("canary-value");
  });
});

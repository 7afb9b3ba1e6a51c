import { TaskError } from "@autokestra/plugin-sdk";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { expect, it } from "vitest";
import { requestAction } from "./actions.ts";
import { type ReceivedRequest, startServer, type TestServer } from "./test-server.ts";

const CANARY = "canary-4711/ä b";
const STATUSES = [301, 302, 303, 307, 308];
const METHODS = ["GET", "POST", "PUT", "DELETE"];
const POLICIES = ["same-origin", "always"];
/** What a Location says, made of the port of the other server. */
const LOCATIONS: Record<string, (port: string) => string> = {
  "another port": (port) => `http://127.0.0.1:${port}/x`,
  "another host without scheme": (port) => `//localhost:${port}/x`,
  "another host with credentials": (port) => `http://user:password@127.0.0.1:${port}/x`,
};

const secret = {
  query: { key: CANARY },
  headers: { "X-Api-Key": encodeURIComponent(CANARY), Cookie: `session=${encodeURIComponent(CANARY)}` },
  auth: { basic: { username: "u", password: CANARY } },
};
const FORMS = ["canary-4711", CANARY, encodeURIComponent(CANARY), Buffer.from(`u:${CANARY}`).toString("base64")];

const hits = (seen: unknown) => FORMS.filter((form) => JSON.stringify(seen).includes(form));

it("KP14, S2: 120 redirects to another origin, 0 hits of a canary", async () => {
  const other: TestServer = await startServer((response) => response.end("other"));
  const port = new URL(other.origin).port;
  const first = await startServer((response, request: ReceivedRequest) => {
    const [status, location = ""] = new URL(request.url ?? "", "http://x").pathname.slice(1).split("/");
    response.writeHead(Number(status), { location: LOCATIONS[decodeURIComponent(location)]?.(port) ?? "" }).end("gone");
  });
  let redirects = 0;
  for (const status of STATUSES) {
    for (const method of METHODS) {
      for (const followRedirects of POLICIES) {
        for (const location of Object.keys(LOCATIONS)) {
          const url = `${first.origin}/${status}/${encodeURIComponent(location)}`;
          const body = method === "GET" ? {} : { body: { key: CANARY } };
          const run = runAction(requestAction, { url, method, followRedirects, ...secret, ...body });
          const result = await run.then(
            ({ output }) => [output.status, output.body],
            (error: unknown) => {
              if (!(error instanceof TaskError)) throw error;
              expect(hits([error.message, error.stack])).toEqual([]);
              expect(error.message).toContain(
                `${method} ${first.origin} failed after status ${status}: it redirects to`,
              );
              expect(error.message).toMatch(new RegExp(`origin, http://(127[.]0[.]0[.]1|localhost):${port};`));
              return [error.code, error.status];
            },
          );
          expect(result).toEqual(followRedirects === "always" ? [200, "other"] : ["HTTP_REDIRECT", status]);
          redirects += 1;
        }
      }
    }
  }
  expect(redirects).toBe(120);
  expect(hits(first.received)).toEqual(FORMS);
  expect(other.received).toHaveLength(60);
  expect(hits(other.received)).toEqual([]);
  expect(other.received.every(({ body }) => body === "")).toBe(true);
  const names = new Set(other.received.flatMap(({ headers }) => Object.keys(headers)));
  expect([...names].toSorted()).toEqual([
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "user-agent",
  ]);
});

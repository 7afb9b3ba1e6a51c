import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createBodyBudget } from "../src/body-budget.ts";
import { sendProblem } from "../src/http-rules.ts";
import { createServerPlace, type ServerPlace } from "./server-place.ts";

const BODY = "x".repeat(60_000);
const sockets: Socket[] = [];
let app: FastifyInstance;
let place: ServerPlace;

beforeAll(async () => {
  app = fastify();
  const budget = createBodyBudget({ ofOne: 150_000, ofAll: 200_000 });
  app.decorateRequest("principal", null);
  app.addHook("onRequest", async (request) => {
    request.principal = { kind: "jwt", id: String(request.headers["x-caller"]) } as typeof request.principal;
  });
  app.addHook("preParsing", async (request, reply, payload) => budget.watch(request, reply, payload));
  app.setErrorHandler(async (error, request, reply) => await sendProblem(error, request, reply, () => undefined));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: 100_000 }, (_, body, done) => done(null, body));
  app.post("/", async (request) => (request.body as Buffer).length);
  await app.listen({ port: 0 });
  place = await createServerPlace();
  await place.app.listen({ port: 0 });
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await app.close();
  await place.close();
});

/** Sends a request without the end of its body. */
function begin(body = BODY, { caller = "a", length = body.length + 1, server = app, head = "" } = {}) {
  const socket = connect({ port: (server.server.address() as AddressInfo).port, host: "127.0.0.1" });
  sockets.push(socket);
  socket.on("error", () => undefined);
  socket.write(`POST ${head === "" ? "/" : "/api/secrets"} HTTP/1.1\r\nHost: localhost\r\nX-Caller: ${caller}\r\n`);
  socket.write(`${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`);
  const answer = once(socket, "data").then(([bytes]) => Number(String(bytes).slice(9, 12)));
  return { socket, answer, end: () => socket.write("x") };
}

const whole = async (caller: string) => await begin(BODY, { caller, length: BODY.length }).answer;

it("refuses what is too much for one caller, or for all, and gives back what was answered or left", async () => {
  // What is held counts once it has arrived, and no more once the answer has left: a busy machine takes its time.
  const expectOf = (caller: string) => expect.poll(async () => await whole(caller), { timeout: 30_000 });
  const [one, other] = [begin(), begin()];
  await expectOf("a").toBe(429);
  await expectOf("b").toBe(200);
  const third = begin(BODY, { caller: "b" });
  await expectOf("c").toBe(429);
  expect(await begin("small", { caller: "c", length: 5 }).answer).toBe(200);

  one.end();
  expect(await one.answer).toBe(200);
  await expectOf("a").toBe(200);
  third.socket.destroy();
  other.socket.destroy();
  const again = async () => await Promise.all([whole("a"), whole("a"), whole("b")]);
  await expect.poll(again, { timeout: 30_000 }).toEqual([200, 200, 200]);
});

it("goes on after a body that is too large", async () => {
  expect(await begin("x".repeat(200_001)).answer).toBe(413);
  await expect.poll(async () => await whole("a"), { timeout: 30_000 }).toBe(200);
});

it("bounds what a token can keep of a server", async () => {
  const head = `Authorization: Bearer ${await place.token("admin")}\r\n`;
  const all = Array.from({ length: 17 }, () => begin("x".repeat(1_000_000), { server: place.app, head }));
  await Promise.any(all.map(async ({ answer }) => expect(await answer).toBe(429)));
});

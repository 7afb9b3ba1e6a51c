import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it, onTestFinished } from "vitest";
import { createAuditSink } from "../../src/access/audit-sink.ts";
import type { AuditRecord } from "../../src/index.ts";

function record(seq: number, outcome = "done"): AuditRecord {
  const actor = { kind: "user", id: "al\nice", address: null } as const;
  const secret = { name: "DÄ", id: null, version: "1", fields: ["value"] };
  const rest = { source: "store", requestId: null, execution: null, prev: "0".repeat(64), mac: null };
  return { seq, time: "2026-11-29T12:00:00.000Z", actor, action: "read", secret, outcome, ...rest };
}

/** Listens, and keeps what it gets. @param event when there is a connection that can be read */
async function listen(server: Server, event: "connection" | "secureConnection") {
  const chunks: Buffer[] = [];
  const sockets: Socket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  server.on(event, (socket: Socket) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { port, sockets, received: () => Buffer.concat(chunks).toString() };
}

/** Takes messages apart by their length (RFC 6587, 3.4.1). */
function messagesOf(text: string): readonly string[] {
  const messages: string[] = [];
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    const space = rest.indexOf(" ");
    const end = space + 1 + Number(rest.subarray(0, space).toString());
    // The rest of it has not come yet.
    if (space === -1 || rest.length < end) break;
    messages.push(rest.subarray(space + 1, end).toString());
    rest = rest.subarray(end);
  }
  return messages;
}

it("sends syslog over TCP: one message a record, whatever is in it", async () => {
  const { port, received } = await listen(createServer(), "connection");
  const sink = createAuditSink({ syslog: `tcp://127.0.0.1:${port}` });
  await sink.send([record(1), record(2, "refused")]);
  await sink.send([record(3, "intent")]);
  await sink.close();
  await expect.poll(() => messagesOf(received()).length).toBe(3);
  const messages = messagesOf(received());
  expect(messages.map((message) => message.split(" ", 1)[0])).toEqual(["<110>1", "<108>1", "<110>1"]);
  const [, time, host, app, pid, id, data, ...json] = messages[0]?.split(" ") ?? [];
  expect([time, app, pid, id, data]).toEqual([
    "2026-11-29T12:00:00.000Z",
    "autokestra",
    String(process.pid),
    "audit",
    "-",
  ]);
  expect(host).toMatch(/^[\x21-\x7e]+$/);
  expect(JSON.parse(json.join(" "))).toEqual(record(1));
  expect(sink.failed()).toBe(0);
});

it("sends it over TLS, to a server whose certificate is trusted", async () => {
  const folder = temporaryFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1`;
  execFileSync("openssl", [...request.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) });
  const { port, received } = await listen(server, "secureConnection");
  const trusting = createAuditSink({ syslog: `tls://127.0.0.1:${port}`, ca: cert, required: true });
  await trusting.send([record(1)]);
  await trusting.close();
  await expect.poll(() => messagesOf(received()).length).toBe(1);
  const other = createAuditSink({ syslog: `tls://127.0.0.1:${port}`, required: true });
  await expect(other.send([record(2)])).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  await other.close();
  expect(() => createAuditSink({ syslog: `tls://127.0.0.1:${port}`, ca: join(folder, "none.pem") })).toThrow("ENOENT");
});

it("gives a program one JSON object a line", async () => {
  const file = join(temporaryFolder(), "out.jsonl");
  const sink = createAuditSink({ command: ["sh", "-c", 'cat > "$0"', file], required: true });
  await sink.send([record(1), record(2)]);
  await sink.send([record(3)]);
  await sink.close();
  await expect.poll(() => readFileSync(file, "utf8").split("\n").length).toBe(4);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([record(1), record(2), record(3)]);
});

it.each([
  ["a program that is not there", { command: ["/nonexistent/program"] }],
  ["a program that ends at once", { command: ["true"] }],
  ["a server that is not there", { syslog: "tcp://127.0.0.1:1" }],
])("counts what %s did not take, and waits for nothing", async (_, settings) => {
  const sink = createAuditSink(settings);
  const send = async () => {
    await sink.send([record(1), record(2)]);
    return sink.failed();
  };
  // What a program has not read when it ends, nobody can tell.
  await expect.poll(send).toBeGreaterThan(0);
  await sink.close();
});

it("gives nothing out where it is required and fails, and goes on once it is there", async () => {
  const server = createServer();
  const { port, sockets, received } = await listen(server, "connection");
  const sink = createAuditSink({ syslog: `tcp://127.0.0.1:${port}`, required: true });
  await sink.send([record(1)]);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await expect
    .poll(
      async () =>
        await sink.send([record(2)]).then(
          () => "taken",
          ({ code }) => code,
        ),
    )
    .toBe("AUDIT_UNAVAILABLE");
  const failed = sink.failed();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await sink.send([record(3)]);
  await sink.close();
  await expect.poll(() => received()).toContain('"seq":3');
  expect(sink.failed()).toBe(failed);
});

it("does not wait for a server that reads nothing", async () => {
  const { port, sockets } = await listen(createServer({ pauseOnConnect: true }), "connection");
  const sink = createAuditSink({ syslog: `tcp://127.0.0.1:${port}` });
  const many = Array.from({ length: 900 }, (_, index) => ({ ...record(index), source: "x".repeat(20_000) }));
  await sink.send(many);
  await sink.send(many);
  await sink.send(many);
  await sink.close();
  expect(sockets.length).toBeGreaterThan(0);
  expect(sink.failed()).toBeGreaterThan(0);
});

it.each(["udp://x:1", "tcp://x", "not an address"])("refuses the address %s", (syslog) => {
  expect(() => createAuditSink({ syslog })).toThrow("not valid");
});

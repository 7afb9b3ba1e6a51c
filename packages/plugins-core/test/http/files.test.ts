import { runAction } from "@autokestra/plugin-sdk/testing";
import { expect, it } from "vitest";
import { requestAction } from "./actions.ts";
import { startServer } from "./test-server.ts";

/** Reads a multipart body as Node itself does. */
async function parse(contentType: string | undefined, body: string) {
  const form = await new Response(Buffer.from(body, "latin1"), {
    headers: { "content-type": contentType ?? "" },
  }).formData();
  const parts = [...form].map(async ([field, value]) =>
    typeof value === "string"
      ? { field, value: Buffer.from(value, "utf8").toString() }
      : { field, name: value.name, type: value.type, bytes: Buffer.from(await value.arrayBuffer()).toString("hex") },
  );
  return await Promise.all(parts);
}

const hex = (text: string) => Buffer.from(text).toString("hex");

async function send(input: object, redirect = false) {
  const { origin, received } = await startServer(
    (response, { url }) => {
      if (redirect && url === "/") response.writeHead(307, { location: "/again" });
      response.end();
    },
    { encoding: "latin1" },
  );
  await runAction(requestAction, { method: "POST", url: origin, ...input });
  const [last] = received.slice(-1);
  return { received, parts: async () => await parse(last?.headers["content-type"], last?.body ?? "") };
}

it("sends files and fields as multipart/form-data", async () => {
  const bytes = Buffer.from([0, 255, 13, 10, 45, 45]);
  const { parts, received } = await send({
    form: { title: "Ä b", tag: ["x", 2] },
    files: {
      report: { name: "report.csv", content: "a;b\r\nä", type: "text/csv" },
      attachment: [
        { name: "1.txt", content: "" },
        { name: "2.bin", base64: `${bytes.toString("base64").slice(0, 4)}\n${bytes.toString("base64").slice(4)}` },
      ],
    },
  });
  expect(received[0]?.headers).toMatchObject({
    "content-type": expect.stringMatching(/^multipart\/form-data; boundary=\S+$/),
    "content-length": expect.stringMatching(/^\d+$/),
  });
  expect(await parts()).toEqual([
    { field: "title", value: "Ä b" },
    { field: "tag", value: "x" },
    { field: "tag", value: "2" },
    { field: "report", name: "report.csv", type: "text/csv", bytes: hex("a;b\r\nä") },
    { field: "attachment", name: "1.txt", type: "text/plain;charset=utf-8", bytes: "" },
    { field: "attachment", name: "2.bin", type: "application/octet-stream", bytes: bytes.toString("hex") },
  ]);
});

it("takes a file of 30 MB", async () => {
  const base64 = Buffer.alloc(30 * 1024 * 1024, "x").toString("base64");
  const { received } = await send({ files: { f: { name: "f", base64 } } });
  expect(received[0]?.body.length).toBeGreaterThan(30 * 1024 * 1024);
});

it("lets no name break out of its header", async () => {
  const name = 'a"\r\nContent-Type: text/html\r\n\r\nx';
  const { received } = await send({ files: { [name]: { name, content: "x" } } });
  const escaped = "a%22%0D%0AContent-Type: text/html%0D%0A%0D%0Ax";
  expect(received[0]?.body).toContain(`name="${escaped}"; filename="${escaped}"\r\n`);
});

it("sends them again after a redirect that keeps the body", async () => {
  const { received, parts } = await send({ files: { f: { name: "f", content: "canary" } } }, true);
  expect(received.map(({ url }) => url)).toEqual(["/", "/again"]);
  expect(await parts()).toMatchObject([{ field: "f", bytes: hex("canary") }]);
});

const file = { name: "f.txt", content: "x" };

it.each([
  [{ body: "x" }, "files: expected either body or files, not both"],
  [{ headers: { "Content-Type": "multipart/form-data" } }, "files: expected no content-type beside them"],
  [{ files: { f: { name: "f" } } }, "files.f: expected either content (text) or base64"],
  [{ files: { f: { ...file, base64: "eA==" } } }, "files.f: expected either content (text) or base64"],
  [{ files: { f: { name: "f", base64: "canary-4711" } } }, "files.f: expected either content (text) or base64"],
  [{ files: { f: { name: "f", content: 7 } } }, "files.f"],
  [{ files: { f: { content: "x" } } }, "files.f"],
  [{ files: { f: { ...file, path: "/etc/passwd" } } }, "files.f"],
  [{ files: { f: { ...file, type: "text/plain\r\nx: y" } } }, "files.f"],
  [{ files: { f: { ...file, name: "\ud800" } } }, "files.f"],
  [{ files: { f: [] } }, "files.f"],
  [{ files: JSON.parse('{"__proto__":{"name":"f","content":"x"}}') }, "files: expected no name '__proto__'"],
])("refuses %j", async (input, message) => {
  const run = runAction(requestAction, { url: "http://127.0.0.1:1", method: "POST", files: { f: file }, ...input });
  await expect(run).rejects.toThrow(`Invalid input: ${message}`);
  await expect(run).rejects.not.toThrow("canary");
});

// P9, M13: a random canary goes through the whole journey, backups and migrations included; it stands nowhere in what was written or printed.
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startEchoServer } from "../../scripts/echo-server.mjs";
import { akWhileServing } from "./support/ak-while-serving.mjs";
import { countCanary } from "./support/find-canary.mjs";
import { everythingIn, inFolder } from "./support/sandbox.mjs";

const key = `canary-${randomBytes(12).toString("hex")}`;
const password = `cäñary "q" & ${randomBytes(8).toString("hex")}`;
const basic = `canary-user:${password}`;
const canaries = [key, password, basic];

/** @param {Buffer} bytes */
function count(bytes) {
  return canaries.reduce((sum, canary) => sum + countCanary(bytes, canary), 0);
}

// The scan proves itself first: it must find what is planted.
const planted = [
  key,
  JSON.stringify(password),
  encodeURIComponent(password),
  `Basic ${Buffer.from(basic).toString("base64")}`,
  Buffer.from(`xy${key}z`).toString("base64url"),
  Buffer.from(key).toString("hex"),
  Buffer.from(key, "utf16le"),
  gzipSync(`in gzip: ${key}`),
];
const found = planted.filter((text) => count(Buffer.from(text)) > 0).length;

const WORKFLOW = `apiVersion: v1
id: w
secrets: [KEY, DB]
inputs: { url: { type: string } }
tasks:
  - id: call
    type: core/http.request
    inputs:
      method: POST
      url: "{{ inputs.url }}"
      query: { q: "{{ secrets.DB.password }}" }
      headers: { X-API-Key: "{{ secrets.KEY }}" }
      auth: { basic: { username: "{{ secrets.DB.username }}", password: "{{ secrets.DB.password }}" } }
      body: { all: "{{ secrets.DB }}", key: "{{ secrets.KEY }}" }
  - { id: show, type: core/console.log, needs: [call], inputs: { message: "{{ tasks.call.output }}" } }
  - { id: fail, type: core/http.get, inputs: { url: "{{ secrets.KEY }}" } }
  - { id: again, type: core/http.get, inputs: { url: "http://127.0.0.1:1/{{ secrets.KEY }}" }, retry: { max: 1, backoffSeconds: 0 } }
`;

/** What follows the first two secrets, with what it reads from standard input. @param {string} backend @param {string} url */
function journey(backend, url) {
  const other = backend === "sqlite" ? "file" : "sqlite";
  /** @type {readonly (readonly [readonly string[], string?])[]} */
  const steps = [
    [["run", "w.yaml", "--input", `url=${url}`]],
    [["run", "w.yaml", "--json", "--input", `url=${url}`]],
    [["check", "w.yaml"]],
    [["export", "w.yaml"]],
    [["export", "w.yaml", "--json"]],
    [["secrets", "list"]],
    [["secrets", "list", "--json"]],
    [["secrets", "set", "KEY"], `${key}2`],
    [["secrets", "set", "KEY", "--if-version", "1"], `${key}3`],
    [["secrets", "edit", "KEY", "--expires-at", "2100-01-01", "--tag", "more", "--json"]],
    [["secrets", "describe", "KEY"]],
    [["secrets", "describe", "KEY", "--json"]],
    [["secrets", "rename", "KEY", "OTHER"]],
    [["secrets", "rename", "OTHER", "KEY", "--json"]],
    [["secrets", "versions", "KEY", "--json"]],
    [["keys", "list"]],
    [["keys", "list", "--json"]],
    [["secrets", "rollback", "KEY", "--to", "1", "--json"]],
    [["secrets", "rotate-key", "--data-key", "--json"]],
    [["secrets", "backup", `copy-of-${backend}`, "--json"]],
    [["secrets", "delete", "KEY", "--force"]],
    [["secrets", "get", "KEY"]],
    [["secrets", "list", "--deleted", "--json"]],
    [["secrets", "restore", "KEY", "--json"]],
    [["secrets", "migrate", "--to", other, "--json"]],
    [["secrets", "backup", `copy-of-${other}-after-${backend}`]],
    [["doctor", "--json"]],
    [["secrets", "restore-backup", `copy-of-${backend}`]],
    [["secrets", "restore-backup", `copy-of-${other}-after-${backend}`]],
    [["secrets", "migrate", "--to", backend]],
    [["secrets", "delete", "KEY", "--force", "--purge"]],
    [["secrets", "get", "KEY"]],
    [["doctor"]],
  ];
  return steps;
}

const server = await startEchoServer();
const figures = await inFolder(async (folder) => {
  writeFileSync(join(folder, "w.yaml"), WORKFLOW);
  const outputs = [];
  for (const backend of ["sqlite", "file"]) {
    const run = akWhileServing(folder, ["--storage-path", join(folder, backend)]);
    const place = ["--storage-backend", backend];
    await run(["secrets", "set", "KEY", "--description", "d", "--tag", "t", ...place], key);
    await run(
      ["secrets", "set", "DB", "--type", "basicAuth", "--field", "username=canary-user", "--field", "password=-"],
      password,
    );
    for (const [args, input = ""] of journey(backend, server.url)) outputs.push(await run(args, input));
  }
  const files = everythingIn(folder).filter((path) => lstatSync(path).isFile());
  return {
    sent: server.requests.filter((headers) => headers["x-api-key"] === key).length,
    outputs: outputs.length,
    inOutputs: outputs.reduce((sum, output) => sum + count(output), 0),
    files: files.length,
    kept: files.filter((file) => file.endsWith(".backup") || file.includes("copy-of-")).length,
    inFiles: files.reduce((sum, file) => sum + count(readFileSync(file)), 0),
  };
});
server.close();

const proved = found === planted.length && figures.sent === 4 && figures.kept === 12;
console.log(
  `scan finds ${found} of ${planted.length} planted canaries; the server got the real key ${figures.sent} times; ${figures.kept} backups`,
);
console.log(
  JSON.stringify([
    {
      id: "P9",
      pass: proved && figures.inFiles === 0,
      figure: `${figures.files} files, ${figures.kept} of them backups, ${figures.inFiles} hits`,
    },
    {
      id: "M13",
      pass: proved && figures.inOutputs === 0,
      figure: `${figures.outputs} outputs, ${figures.inOutputs} hits`,
    },
  ]),
);

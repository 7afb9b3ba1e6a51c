import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { installPluginSdk, listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildParent } from "./installed-plugin.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-probes-")));
const [own, project] = [join(folder, "plugin"), join(folder, "project")];
const [key, socket] = [join(project, "secret.key"), join(folder, "socket")];
const MARK = "mark-of-the-key-4711";
const canDenyNetwork = process.allowedNodeEnvironmentFlags.has("--allow-net");

const http = createServer((_request, response) => response.end(MARK));
const unix = createSocket((connection) => connection.end(MARK));
let url = "";
let parent = "";

type Found = Readonly<Record<string, { readonly reached: string } | { readonly blocked: string }>>;

beforeAll(async () => {
  for (const place of [own, project]) mkdirSync(place);
  await installPluginSdk(own);
  cpSync(fileURLToPath(new URL("probe-plugin.js", import.meta.url)), join(own, "index.mjs"));
  writeFileSync(join(own, "package.json"), "{}");
  for (const path of [key, join(project, "store.db")]) writeFileSync(path, `KEY=${MARK}\n`);
  writeFileSync(`${key}.mjs`, `export const key = "${MARK}";\n`);
  writeFileSync(join(project, "autokestra.config.yaml"), `# ${MARK}\n`);
  parent = await buildParent(mkdtempSync(join(folder, "parent-")));
  url = await listen(http);
  await new Promise<void>((resolve) => unix.listen(socket, resolve));
});
afterAll(() => {
  http.close();
  unix.close();
  rmSync(folder, { recursive: true });
});

/** In the main thread of a process of its own, as the command runs it. */
async function probe(network: boolean): Promise<Found> {
  const inputs = JSON.stringify({ key, own, project, store: join(project, "store.db"), socket, url });
  const plugins = `[{ module: ../plugin/index.mjs, network: ${network} }]`;
  const child = spawn(process.execPath, [
    parent,
    project,
    plugins,
    `  - { id: t, type: test/probe.all, inputs: ${inputs} }`,
  ]);
  const [lines, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(errors).toBe("");
  const last = JSON.parse(lines.trimEnd().split("\n").at(-1) ?? "");
  if ("refused" in last) throw new Error(last.refused);
  return last.tasks.t.output;
}

const reachedIn = (found: Found) =>
  Object.entries(found).flatMap(([name, result]) => ("reached" in result ? [name] : []));

/** What Node.js does not take away without `network: false`, which needs Node.js 25. */
const NETWORK = ["connect to a server", "connect to a socket", "ask for a name"];

it("reaches nothing but the network", async () => {
  const found = await probe(true);
  expect(Object.keys(found).length).toBeGreaterThan(30);
  expect({ node: process.version, reached: reachedIn(found) }).toEqual({ node: process.version, reached: NETWORK });
  const others = Object.entries(found).filter(([name]) => !NETWORK.includes(name));
  expect(JSON.stringify(others)).not.toContain(MARK);
  expect(readdirSync(project).toSorted()).toEqual([
    "autokestra.config.yaml",
    "secret.key",
    "secret.key.mjs",
    "store.db",
  ]);
});

it.runIf(canDenyNetwork)("reaches nothing at all without the network", async () => {
  expect(reachedIn(await probe(false))).toEqual([]);
});

it.skipIf(canDenyNetwork)("is refused where this Node.js cannot take the network away", async () => {
  await expect(probe(false)).rejects.toThrow(
    /^The plugin '\.\.\/plugin\/index\.mjs' cannot be used: Node\.js .* 'network: false'/,
  );
});

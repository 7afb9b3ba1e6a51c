import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseConfig } from "@autokestra/config";
import { listen, temporaryFolder } from "@autokestra/test-kit";
import { afterAll, describe, expect, it } from "vitest";
import { type Engine, openEngine, parseWorkflow } from "../src/index.ts";

const folder = temporaryFolder(afterAll);
/** A package of somebody else, with a zod of its own. */
const NOTES = `import { writeFileSync } from "node:fs";
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
export const notes = {
  type: "notes",
  options: z.strictObject({ type: z.literal("notes").optional(), prefix: z.string() }),
  create: ({ prefix }, { id }) => ({
    id,
    type: "notes",
    capabilities: { versions: false, leases: false },
    lookup: async ({ path }) => ({ status: "found", secret: { value: prefix + path } }),
    check: async () => ({ status: "found", secret: { account: "me" } }),
    close: async () => writeFileSync(${JSON.stringify(join(folder, "closed-"))} + prefix, ""),
  }),
};
`;
writeFileSync(join(folder, "notes.mjs"), NOTES);

let count = 0;

const configOf = (source: string) => parseConfig(source, join(folder, "autokestra.config.yaml"));

async function open(source: string): Promise<Engine> {
  count += 1;
  return await openEngine({
    config: configOf(source),
    storagePath: join(folder, `secrets-${count}`),
    runsPath: join(folder, `runs-${count}.db`),
    keyFolder: null,
    keepInEnvironment: true,
    create: true,
    env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4), NAMED: "from-a-variable", A: "not this one" },
  });
}

async function sourceOf(engine: Engine, name: string): Promise<string | null> {
  return (await engine.explain(name)).source;
}

describe("packages of providers", () => {
  it("are found from the folder of the configuration", async () => {
    const engine = await open(
      'providerPackages: ["./notes.mjs"]\nproviders: { mine: { type: notes, prefix: p-, path: "{name}" } }\n',
    );
    expect(await sourceOf(engine, "A")).toBe("mine");
    expect(await engine.diagnoseProviders()).toMatchObject([
      { status: "ok", message: "mine (notes): reachable, logged in as me" },
    ]);
    await engine.close();
  });

  it("are named where they cannot be loaded", async () => {
    await expect(open('providerPackages: ["@acme/none"]\n')).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: "The package '@acme/none' of providers cannot be loaded (MODULE_NOT_FOUND)",
    });
  });
});

describe("another configuration", () => {
  const mine = (prefix: string) =>
    configOf(
      `providerPackages: ["./notes.mjs"]\nproviders: { mine: { type: notes, prefix: ${prefix}, path: "{name}" } }\n`,
    );
  const has = (name: string) => existsSync(join(folder, name));

  it("is for what begins once it is accepted; what was opened for the one before is closed after its last run", async () => {
    const engine = await openEngine({
      config: mine("one-"),
      storagePath: join(folder, "secrets-again"),
      runsPath: join(folder, "runs-again.db"),
      keyFolder: null,
      create: true,
      env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4) },
    });
    const script = `until [ -e gate ]; do sleep 0.05; done; printf %s "$A" > "$OUT"`;
    const workflow = (out: string) =>
      parseWorkflow(
        `{ apiVersion: v1, id: ${out}, secrets: [A], tasks: [{ id: t, type: core/shell.run, inputs: { cwd: ${JSON.stringify(folder)}, env: { A: "{{ secrets.A }}", OUT: ${out} }, script: ${JSON.stringify(script)} } }] }`,
        "workflow",
      );
    const events: string[] = [];
    const before = engine.run(workflow("before"), { sink: ({ event }) => void events.push(event) });
    await expect.poll(() => events, { timeout: 30_000 }).toContain("task.started");

    await (await engine.prepare({ config: mine("dropped-") })).discard();
    expect([has("closed-dropped-"), has("closed-one-")]).toEqual([true, false]);
    await (await engine.prepare({ config: mine("two-") })).accept();
    const after = engine.run(workflow("after"));
    // Nobody has used it.
    const unused = await engine.prepare({ config: mine("three-") });
    await unused.accept();
    expect((await engine.explain("A")).source).toBe("mine");
    expect([has("closed-one-"), has("closed-two-")]).toEqual([false, false]);
    writeFileSync(join(folder, "gate"), "");
    expect([(await before).status, (await after).status]).toEqual(["success", "success"]);
    expect(["before", "after"].map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(["one-A", "two-A"]);
    expect(["one-", "two-", "three-"].map((prefix) => has(`closed-${prefix}`))).toEqual([true, true, false]);
    await engine.close();
    expect(has("closed-three-")).toBe(true);
  });

  it("that cannot be used changes nothing", async () => {
    const engine = await open("env: false\nsecrets: { B: { provider: environment, variable: NAMED } }\n");
    await expect(engine.prepare({ config: configOf('providerPackages: ["@acme/none"]\n') })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect(await sourceOf(engine, "B")).toBe("environment");
    await engine.close();
  });
});

describe("sources", () => {
  it("come in the order of the configuration, and without the environment where it says so", async () => {
    const engine = await open("env: false\nsecrets: { B: { provider: environment, variable: NAMED } }\n");
    expect([await sourceOf(engine, "A"), await sourceOf(engine, "B")]).toEqual([null, "environment"]);
    await engine.secrets.set({ name: "A", type: "apiKey", fields: { value: "stored" } });
    expect(await sourceOf(engine, "A")).toBe("store");
    await engine.close();
    const reversed = await open("sources: [environment, store]\n");
    await reversed.secrets.set({ name: "A", type: "apiKey", fields: { value: "stored" } });
    expect(await sourceOf(reversed, "A")).toBe("environment");
    await reversed.close();
  });
});

describe("a secret of the store in the options of a provider", async () => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end("value");
  });
  const address = await listen(server);
  afterAll(() => void server.close());
  const config = `providers: { web: { type: http, url: "${address}/{name}", token: "{{ secrets.WEB }}", path: "{name}" } }\n`;

  it("is read when the provider is asked, and again as long as it is not there", async () => {
    const engine = await open(config);
    const { asked, source } = await engine.explain("X");
    expect(source).toBeNull();
    expect(asked).toMatchObject([{ source: "web", status: "denied", reason: expect.stringContaining("WEB") }]);
    await engine.secrets.set({ name: "WEB", type: "apiKey", fields: { value: "t0ken" } });
    expect(await sourceOf(engine, "X")).toBe("web");
    expect(seen).toEqual(["Bearer t0ken"]);
    await engine.close();
  });
});

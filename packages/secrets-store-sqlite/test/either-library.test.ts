// @module-tag faults
import { join } from "node:path";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { run, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { usableLibraries } from "../../sqlite/test/child.ts";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";

/** Counts in one secret. */
async function counters(): Promise<{ library: string; script: string }[]> {
  const libraries = await usableLibraries();
  return await Promise.all(
    libraries.map(async ({ name, better }) => ({ library: name, script: await bundle("counter.ts", better) })),
  );
}

/** The versions of that secret, and whether the database is sound. */
async function look(path: string): Promise<unknown> {
  const store = await openSqliteStore(path);
  const versions = (await store.versions(sampleId("A"))).map(({ metadata }) => metadata.version);
  const { isSound } = await store.facts();
  await store.close();
  return { versions, isSound };
}

// Processes of their own: one has one library.
it("one library reads and writes on where another one has written", async () => {
  const path = join(temporaryFolder(), "secrets.db");
  let written = 0;
  const libraries = await counters();
  for (const { library, script } of [...libraries, ...libraries]) {
    expect([library, await run(script, [path, "2"])]).toEqual([library, "2"]);
    written += 2;
    expect(await look(path)).toEqual({
      versions: Array.from({ length: written }, (_, i) => written - i),
      isSound: true,
    });
  }
});

it("libraries that count in one secret at the same time lose nothing", async () => {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  await putSecret(store, sampleSecret("A"));
  await store.close();
  const libraries = await counters();
  const scripts = [...libraries, ...libraries];
  expect(await Promise.all(scripts.map(async ({ script }) => await run(script, [path, "25"])))).toEqual(
    scripts.map(() => "25"),
  );
  const last = 1 + scripts.length * 25;
  expect(await look(path)).toEqual({ versions: Array.from({ length: 10 }, (_, i) => last - i), isSound: true });
});

import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { type ImportEntry, importedApiKey } from "../../src/import/entries.ts";
import { type ImportOptions, type ImportPlan, planImport, reportImport } from "../../src/import/import-secrets.ts";

const CANARY = "canary-20c7";
const stored = { SAME: { value: "same" }, OTHER: { value: "other" } };
const existing = new Map(Object.keys(stored).map((name) => [name, { type: "apiKey" as const, deletedAt: null }]));

async function plan(entries: readonly ImportEntry[], options: Partial<ImportOptions> = {}): Promise<ImportPlan> {
  return await planImport(entries, existing, {
    onConflict: "fail",
    rename: false,
    skipEmpty: false,
    isStored: async ({ name, fields }) => isDeepStrictEqual(fields, new Map(Object.entries(stored)).get(name)),
    ...options,
  });
}

/** The names only, by what becomes of them. */
function names({ writes, skipped, failed }: ImportPlan) {
  return { writes: writes.map(({ name }) => name), skipped, failed: failed.map(({ name }) => name) };
}

describe("planImport", () => {
  const incoming = [importedApiKey("NEW", "v"), importedApiKey("SAME", "same"), importedApiKey("OTHER", CANARY)];

  it.each([
    { onConflict: "fail", writes: [], skipped: ["SAME"], failed: ["OTHER"] },
    { onConflict: "skip", writes: ["NEW"], skipped: ["SAME", "OTHER"], failed: [] },
    { onConflict: "overwrite", writes: ["NEW", "OTHER"], skipped: ["SAME"], failed: [] },
  ] as const)("on conflict: $onConflict", async ({ onConflict, ...expected }) => {
    const result = await plan(incoming, { onConflict });
    expect(names(result)).toEqual(expected);
    expect(result.total).toBe(3);
    expect(JSON.stringify([result.skipped, result.failed])).not.toContain(CANARY);
  });

  it("writes what the source says, its fields in the form that is stored", async () => {
    const token = {
      name: "T",
      type: "bearerToken" as const,
      fields: { token: "t", expiresAt: "2027-01-31" },
      description: "d",
      tags: ["x"],
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: null,
    };
    expect((await plan([token])).writes).toEqual([
      { ...token, fields: { token: "t", expiresAt: "2027-01-31T00:00:00.000Z" } },
    ]);
  });

  it("takes another type for another value, without asking for the stored one", async () => {
    const isStored = async () => true;
    const custom = { ...importedApiKey("SAME", "same"), type: "custom" as const };
    expect(names(await plan([custom], { isStored })).failed).toEqual(["SAME"]);
    expect(names(await plan([custom], { isStored, onConflict: "overwrite" })).writes).toEqual(["SAME"]);
  });

  it.each([
    ["an empty value", importedApiKey("A", ""), "Secret value cannot be empty"],
    [
      "a wrong field",
      { ...importedApiKey("A", CANARY), type: "basicAuth" as const },
      "Invalid basicAuth secret 'A': field username is missing; field password is missing; unknown field value",
    ],
    [
      "a bad name",
      importedApiKey("my key!", CANARY),
      "Invalid secret name 'my key!': use letters, digits, underscore and hyphen; proposed: my_key",
    ],
    [
      "a reserved name",
      importedApiKey("__proto__", CANARY),
      "Invalid secret name '__proto__': use letters, digits, underscore and hyphen; proposed: __proto___2",
    ],
    ["a reader's failure", { name: "entry 1", reason: "why" }, "why"],
  ])("stops everything at %s", async (_what, entry, reason) => {
    const result = await plan([importedApiKey("NEW", "v"), entry]);
    expect(result).toMatchObject({ total: 2, writes: [], failed: [{ name: entry.name, reason }], renamed: [] });
  });

  it("names all that fails at once", async () => {
    const failures = [importedApiKey("", "v"), { name: "B", reason: "why" }, importedApiKey("A", ""), ...incoming];
    expect(names(await plan(failures)).failed).toEqual(["", "B", "A", "OTHER"]);
  });

  it.each([false, true])("refuses a name that comes twice (rename: %s)", async (rename) => {
    const twice = [importedApiKey("A", "1"), importedApiKey("A", "2")];
    expect((await plan(twice, { rename })).failed).toEqual([
      { name: "A", reason: "The import has this name more than once" },
    ]);
  });

  it("renames where it may, and compares under the new name", async () => {
    const entries = ["NEW key", "SAME!", "NEW_key"].map((name) => importedApiKey(name, "same"));
    const result = await plan(entries, { rename: true });
    expect(names(result)).toEqual({ writes: ["NEW_key_2", "NEW_key"], skipped: ["SAME"], failed: [] });
    expect(result.renamed).toEqual([
      { from: "NEW key", to: "NEW_key_2" },
      { from: "SAME!", to: "SAME" },
    ]);
  });

  it("KD1: leaves out what is empty where it may, and passes on what the reader warns of", async () => {
    const empty = importedApiKey("EMPTY", "", { line: 3 });
    const warned = importedApiKey("NEW", "v", { line: 7, warnings: ["look here"] });
    expect((await plan([empty, warned])).failed).toEqual([
      { name: "EMPTY", reason: "Secret value cannot be empty", code: "VALUE_EMPTY", line: 3 },
    ]);
    const result = await plan([empty, warned], { skipEmpty: true });
    expect(names(result)).toEqual({ writes: ["NEW"], skipped: ["EMPTY"], failed: [] });
    expect(result.warnings).toEqual([
      { name: "NEW", line: 7, message: "look here" },
      { name: "EMPTY", line: 3, message: "it has no value and is skipped" },
    ]);
  });

  it("KD4: says what has expired already", async () => {
    const expired = { ...importedApiKey("NEW", "v"), expiresAt: 1_600_000_000 };
    const inField = {
      ...importedApiKey("T", ""),
      type: "bearerToken" as const,
      fields: { token: "t", expiresAt: "1600000000" },
    };
    const message = "it already expired at 2020-09-13T12:26:40.000Z";
    expect((await plan([expired, inField, { ...expired, name: "LATER", expiresAt: "90d" }])).warnings).toEqual([
      { name: "NEW", message },
      { name: "T", message },
    ]);
  });

  it("reports in figures", async () => {
    expect(reportImport(await plan(incoming, { onConflict: "overwrite" }))).toEqual({
      total: 3,
      imported: 2,
      skipped: 1,
      failed: [],
      warnings: [],
    });
    expect(reportImport(await plan(incoming))).toEqual({
      total: 3,
      imported: 0,
      skipped: 1,
      failed: [{ name: "OTHER", reason: "Secret 'OTHER' is stored already, with another value" }],
      warnings: [],
    });
  });
});

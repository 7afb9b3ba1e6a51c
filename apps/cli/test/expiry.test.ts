import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

async function expiryOf(name: string): Promise<unknown> {
  return JSON.parse((await box.ak(["secrets", "describe", name, "--json"])).stdout).expiresAt;
}

describe("KD4: --expires-at", () => {
  it("takes seconds, milliseconds, dates and times from now, in set and edit", async () => {
    await box.ak(["secrets", "set", "A", "--expires-at", "1796083200"], { input: "v-1234" });
    expect(await expiryOf("A")).toBe("2026-12-01T00:00:00.000Z");
    await box.ak(["secrets", "edit", "A", "--expires-at", "1800000000000"]);
    expect(await expiryOf("A")).toBe("2027-01-15T08:00:00.000Z");
    await box.ak(["secrets", "edit", "A", "--expires-at", "in 2 weeks"]);
    const soon = Date.parse(String(await expiryOf("A"))) - Date.now();
    expect(soon / 86_400_000).toBeCloseTo(14, 1);
    expect((await box.ak(["secrets", "list", "--expires-before", "3w"])).stdout).toContain("A\t");
    expect((await box.ak(["secrets", "list", "--expires-before", "1w"])).stdout).toBe("");
    await box.ak(["secrets", "edit", "A", "--expires-at", "never"]);
    expect(await expiryOf("A")).toBe(null);
  });

  it("takes the same in the field of a token", async () => {
    const args = ["secrets", "set", "T", "--type", "bearerToken", "--field", "token=-"];
    await box.ak([...args, "--field", "expiresAt=1796083200"], { input: "t-1234" });
    expect(await expiryOf("T")).toBe("2026-12-01T00:00:00.000Z");
  });

  it("says what is past already", async () => {
    const past = "warning: 'A' already expired at 2020-09-13T12:26:40.000Z\n";
    const set = await box.ak(["secrets", "set", "A", "--expires-at", "1600000000"], { input: "v-1234" });
    expect(set.stderr).toContain(past);
    expect((await box.ak(["secrets", "edit", "A", "--expires-at", "1600000000"])).stderr).toContain(past);
  });

  it("refuses what is no time with examples, before a store is made", async () => {
    const set = await box.ak(["secrets", "set", "A", "--expires-at", "next-canary"], { input: "v-1234" });
    expect(set).toMatchObject({
      code: 5,
      stderr: [
        "error: Secret 'A': the expiry is not a time",
        "hint: Write 2027-01-31, 2027-01-31T12:00:00Z, 90d, `in 2 weeks`, or seconds since 1970.\n",
      ].join("\n"),
    });
    expect((await box.ak(["secrets", "list"])).stderr).toContain("No secrets found");
  });
});

describe("KP13: --type", () => {
  it.each(["APIKey", "api_key", "API-key"])("takes %s", async (type) => {
    await box.ak(["secrets", "set", "A", "--type", type], { input: "v-1234" });
    expect((await box.ak(["secrets", "list", "--type", type])).stdout).toContain("A\tapiKey");
  });

  it("proposes the nearest", async () => {
    const { code, stderr } = await box.ak(["secrets", "set", "A", "--type", "Basic"], { input: "v-1234" });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        "error: --type takes one of these: apiKey, basicAuth, bearerToken, oauth, custom\nhint: Did you mean 'basicAuth'?\n",
    });
  });
});

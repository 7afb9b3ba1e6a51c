import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { bundle } from "./child.ts";

/** Makes the first write into a store at this path. */
async function write(path: string): Promise<void> {
  const store = await openFileStore(path);
  await putSecret(store, sampleSecret("A"));
  await store.close();
}

describe("modes of what is made", () => {
  it.each(["000", "002", "022", "077"])("are 0600 and 0700 under umask %s", async (umask) => {
    const folder = join(temporaryFolder(), "a", "b");
    await run(await bundle("writer.ts"), [join(folder, "secrets.json"), "S"], umask);
    expect([modeOf(join(folder, "..")), modeOf(folder), modeOf(join(folder, "secrets.json"))]).toEqual([
      "700",
      "700",
      "600",
    ]);
  });
});

describe("a folder that others can enter", () => {
  it("is closed before a store is made in it, and left as it is where there is one to open", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const path = join(folder, "secrets.json");
    await (await openFileStore(path)).close();
    expect(modeOf(folder)).toBe("700");
    chmodSync(folder, 0o755);
    await (await openFileStore(path)).close();
    expect(modeOf(folder)).toBe("755");
  });

  it("is closed by the next write where it holds the store, and so is the file", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    chmodSync(folder, 0o755);
    chmodSync(path, 0o644);
    await putSecret(store, sampleSecret("B"));
    await store.close();
    expect([modeOf(folder), modeOf(path)]).toEqual(["700", "600"]);
  });

  it("is refused where it is shared, as /tmp is", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o1777);
    const path = join(folder, "secrets.json");
    await expect(write(path)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: `Secret store "${path}" cannot be used: other users can reach "${folder}"`,
      hint: "Give the store a folder of its own.",
    });
    expect([readdirSync(folder), modeOf(folder)]).toEqual([[], "1777"]);
  });
});

it("a folder whose place is taken by a file is an error with its reason, not an empty store", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "secrets"), "");
  await expect(openFileStore(join(folder, "secrets", "secrets.json"))).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("not a directory (ENOTDIR)"),
  });
});

it("a folder may be a symbolic link", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "real"), { mode: 0o700 });
  symlinkSync("real", join(folder, "link"));
  await write(join(folder, "link", "secrets.json"));
  expect(readdirSync(join(folder, "real"))).toEqual(["secrets.json"]);
});

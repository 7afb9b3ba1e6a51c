import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { bundle } from "./child.ts";

it.each(["000", "002", "022", "077"])("what is made has the modes 0600 and 0700 under umask %s", async (umask) => {
  const path = join(temporaryFolder(), "a", "b", "secrets.db");
  const modes = JSON.parse(await run(await bundle("writer.ts"), [path, "S"], umask));
  expect(modes).toEqual({
    folder: "700",
    "secrets.db": "600",
    "secrets.db-shm": "600",
    "secrets.db-wal": "600",
  });
  expect(modeOf(join(path, "../.."))).toBe("700");
});

it("a folder that others can enter is closed where it holds the store, and so are its files", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.db");
  await (await openSqliteStore(path)).close();
  chmodSync(folder, 0o755);
  chmodSync(path, 0o644);
  await (await openSqliteStore(path)).close();
  expect([modeOf(folder), modeOf(path)]).toEqual(["700", "600"]);
});

it("a folder that others can enter and that holds other things is refused before anything is made", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "something"), "else");
  chmodSync(folder, 0o755);
  const path = join(folder, "secrets.db");
  await expect(openSqliteStore(path)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: `Secret store "${path}" cannot be used: other users can reach "${folder}"`,
    hint: `Give the store a folder of its own, or run \`chmod 700 "${folder}"\` if no one else needs this one.`,
  });
  expect(readdirSync(folder)).toEqual(["something"]);
});

it("a folder whose place is taken by a file is an error with its reason", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "secrets"), "");
  await expect(openSqliteStore(join(folder, "secrets", "secrets.db"))).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("file already exists (EEXIST)"),
  });
});

it("a folder may be a symbolic link", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "real"), { mode: 0o700 });
  symlinkSync("real", join(folder, "link"));
  await (await openSqliteStore(join(folder, "link", "secrets.db"))).close();
  expect(readdirSync(join(folder, "real"))).toEqual(["secrets.db"]);
});

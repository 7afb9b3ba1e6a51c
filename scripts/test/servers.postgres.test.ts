import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { expect, it } from "vitest";
import { postgresFolder } from "../servers/installation.mjs";
import { type Postgres, startPostgres } from "../servers.mjs";

async function loginAs({ host, port, user, password, database }: Omit<Postgres, "output" | "close">): Promise<unknown> {
  const client = new pg.Client({ host, port, user, password, database });
  try {
    await client.connect();
    return (await client.query("SELECT current_user AS user, rolsuper FROM pg_roles WHERE rolname = current_user"))
      .rows;
  } finally {
    await client.end();
  }
}

it("lets in the superuser, with the password only", async () => {
  const postgres = await startPostgres();
  try {
    expect(await loginAs(postgres)).toEqual([{ user: "postgres", rolsuper: true }]);
    await expect(loginAs({ ...postgres, password: "wrong" })).rejects.toMatchObject({ code: "28P01" });
  } finally {
    await postgres.close();
  }
});

it("does not wait for those who are still connected when it stops", async () => {
  const { output, close, ...login } = await startPostgres();
  const client = new pg.Client(login);
  const ended = new Promise((resolve) => client.on("error", resolve));
  await client.connect();
  await close();
  expect(await ended).toMatchObject({ code: "57P01" });
  expect(output()).toContain("database system is shut down");
});

it("starts from a folder that only its owner can enter", async () => {
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  try {
    chmodSync(folder, 0o700);
    const installed = join(folder, "native");
    cpSync(postgresFolder() ?? "", installed, { recursive: true, verbatimSymlinks: true });
    const postgres = await startPostgres(installed);
    try {
      expect(await loginAs(postgres)).toHaveLength(1);
    } finally {
      await postgres.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("says that it is not installed", async () => {
  await expect(startPostgres(null)).rejects.toThrow("PostgreSQL is not installed");
});

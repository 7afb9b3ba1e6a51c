import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "@autokestra/config";
import type { RunEvent } from "@autokestra/runs";
import pg from "pg";
import { afterAll, expect, it, vi } from "vitest";
import { createPostgresPlugin } from "../../../examples/vault/postgres-plugin.mjs";
import { setUp } from "../../../examples/vault/set-up.mjs";
import { startOpenBao, startPostgres } from "../../../scripts/servers.mjs";
import { corePlugins, loadWorkflow, openEngine } from "../src/index.ts";

const bao = await startOpenBao();
const postgres = await startPostgres();
const folder = mkdtempSync(join(tmpdir(), "autokestra-vault-"));
afterAll(async () => {
  await bao.close();
  await postgres.close();
  rmSync(folder, { recursive: true });
});
const example = (name: string) => fileURLToPath(new URL(`../../../examples/vault/${name}`, import.meta.url));

/** Logs in as the workflow did. Gives the code of the error if that is refused. */
async function tryLogin(login: pg.ClientConfig): Promise<string> {
  const client = new pg.Client(login);
  try {
    await client.connect();
    return "works";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end();
  }
}

it("a run reads a secret of KV and makes credentials, which end with it", async () => {
  await setUp(bao, postgres);
  const events: RunEvent[] = [];
  const logins = vi.spyOn(pg.Client.prototype, "connect");
  const engine = await openEngine({
    config: await loadConfig({ path: example("autokestra.config.yaml") }),
    plugins: [...corePlugins, createPostgresPlugin(postgres)],
    storagePath: join(folder, "secrets"),
    runsPath: join(folder, "runs.db"),
    keyFolder: null,
    env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4), VAULT_ADDR: bao.address, VAULT_TOKEN: bao.token },
  });
  const workflow = await loadWorkflow(example("report.yaml"));
  expect((await engine.check(example("report.yaml"))).problems).toEqual([]);
  expect(logins).not.toHaveBeenCalled();
  const { status } = await engine.run(workflow, {
    sink: (event) => void events.push(event),
  });
  expect(status).toBe("success");
  await engine.close();
  const [{ host, port, database, user, password }] = logins.mock.contexts as [pg.Client];
  logins.mockRestore();
  expect(String(user)).toMatch(/^v-/);
  // The user is gone.
  expect(await tryLogin({ host, port, database, user, password })).toBe("28P01");
  const messages = events.flatMap((event) => ("message" in event ? [event.message] : []));
  expect(messages).toEqual(
    expect.arrayContaining([
      "workflow report",
      expect.stringMatching(/^credentials database\/creds\/report of vault made for this run; valid until /),
      "the answer is 42, sent with ***SECRET***",
      "credentials database/creds/report of vault given back",
    ]),
  );
  const secrets = { API_KEY: { source: "vault", version: "1" }, REPORT_DB: { source: "vault" } };
  expect(events[0]).toMatchObject({ event: "run.started", data: { secrets } });
  expect(JSON.stringify(events)).not.toMatch(new RegExp(`sk_live_51|${bao.token}`));
  expect(readFileSync(join(folder, "runs.db")).includes(bao.token)).toBe(false);
});

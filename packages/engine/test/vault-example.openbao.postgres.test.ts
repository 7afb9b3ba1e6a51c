import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadConfig } from "@autokestra/config";
import type { RunEvent } from "@autokestra/runs";
import type { ClientConfig } from "pg";
import { afterAll, expect, it } from "vitest";
import { createPostgresPlugin, tryLogin } from "../../../examples/vault/postgres-plugin.mjs";
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

/** What differs from run to run. */
function normalise(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME")
    .replace(/in \d+ ms/g, "in N ms")
    .trim();
}

it("prints what its README shows", async () => {
  await setUp(bao, postgres);
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4),
    VAULT_ADDR: bao.address,
    VAULT_TOKEN: bao.token,
    DATABASE_PORT: String(postgres.port),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [example("run.mjs")], { env });
  const [, shown = ""] =
    /^node examples\/vault\/run\.mjs\n```\n\n```\n(.*?)^```$/ms.exec(readFileSync(example("README.md"), "utf8")) ?? [];
  expect(normalise(stdout)).toBe(normalise(shown));
});

it("a run reads a secret of KV and makes credentials, which end with it", async () => {
  const events: RunEvent[] = [];
  const logins: ClientConfig[] = [];
  const engine = await openEngine({
    config: await loadConfig({ path: example("autokestra.config.yaml") }),
    plugins: [...corePlugins, createPostgresPlugin(postgres, (login) => logins.push(login))],
    storagePath: join(folder, "secrets"),
    runsPath: join(folder, "runs.db"),
    keyFolder: null,
    env: { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4), VAULT_ADDR: bao.address, VAULT_TOKEN: bao.token },
  });
  const workflow = await loadWorkflow(example("report.yaml"));
  expect((await engine.check(example("report.yaml"))).problems).toEqual([]);
  expect(logins).toEqual([]);
  const { status } = await engine.run(workflow, {
    sink: (event) => void events.push(event),
  });
  expect(status).toBe("success");
  await engine.close();
  const [login = {}] = logins;
  expect(String(login.user)).toMatch(/^v-/);
  expect(await tryLogin(login)).toBe("refused (28P01)");
  const messages = events.flatMap((event) => ("message" in event ? [event.message] : []));
  expect(messages).toEqual(
    expect.arrayContaining([
      "workflow report",
      expect.stringMatching(/^credentials database\/creds\/report of vault created for this run; valid until /),
      "the answer is 42, sent with ***SECRET***",
      "credentials database/creds/report of vault revoked",
    ]),
  );
  const secrets = { API_KEY: { source: "vault", version: "1" }, REPORT_DB: { source: "vault" } };
  expect(events[0]).toMatchObject({ event: "run.started", data: { secrets } });
  expect(JSON.stringify(events)).not.toMatch(new RegExp(`sk_live_51|${bao.token}`));
  expect(readFileSync(join(folder, "runs.db")).includes(bao.token)).toBe(false);
});

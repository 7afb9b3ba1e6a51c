import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { tryLogin } from "../../../examples/vault/postgres-plugin.mjs";
import { setUp } from "../../../examples/vault/set-up.mjs";
import { createBaoApi } from "../../../packages/secrets-providers/test/bao-api.ts";
import { startOpenBao, startPostgres } from "../../../scripts/servers.mjs";
import { createSandbox } from "./run-cli.ts";

const bao = await startOpenBao();
const postgres = await startPostgres();
const api = createBaoApi(bao);
const box = createSandbox();
afterAll(async () => {
  box.remove();
  await bao.close();
  await postgres.close();
});

/** How long credentials last that nobody renews: the time limit of the run. Their role says an hour. */
const SECONDS = 600;

const CONFIG = `providers:
  vault: { type: vault, mount: secret, auth: { method: token, tokenEnv: VAULT_TOKEN } }
secrets:
  REPORT_DB: { provider: vault, lease: database/creds/report, type: basicAuth }
`;
/** Each task hands its login to the test. \`second\` waits for a file \`go\`. */
const task = (id: string, more: string, wait: string) => `
  - id: ${id}
    type: core/shell.run
    ${more}
    inputs:
      command: sh
      args: [-c, '${wait} printf "%s\\n" "$LOGIN" >> ${id}; printf %s "$LOGIN" | cut -c1-3']
      env: { LOGIN: "{{ secrets.REPORT_DB | json }}" }`;

interface Login {
  readonly username: string;
  readonly password: string;
}

const loginsOf = (id: string): Login[] =>
  readFileSync(join(box.folder, id), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const attempt = async ({ username, password }: Login) => {
  const { host, port, database } = postgres;
  return await tryLogin({ host, port, database, user: username, password });
};

it("credentials of a run that was killed end by themselves with its time, and the resumed run makes new ones and revokes them", async () => {
  await setUp(bao, postgres);
  writeFileSync(join(box.folder, "autokestra.config.yaml"), CONFIG, { mode: 0o600 });
  writeFileSync(
    join(box.folder, "w.yaml"),
    `apiVersion: v1\nid: w\nsecrets: [REPORT_DB]\ntimeoutSeconds: ${SECONDS}\ntasks:${task("first", "", "")}${task("second", "needs: [first]", "touch waits; while ! test -e go; do sleep 0.05; done;")}\n`,
  );
  const env = { VAULT_ADDR: bao.address, VAULT_TOKEN: bao.token };
  // Without a store nothing is kept.
  await box.ak(["secrets", "set", "OTHER"], { input: "value" });
  const { child, ended } = box.start(["run", "w.yaml"], { env });
  await expect.poll(() => existsSync(join(box.folder, "waits"))).toBe(true);
  child.kill("SIGKILL");
  await ended;
  const [lost] = loginsOf("first");
  if (lost === undefined) throw new Error("no login");
  expect(await attempt(lost)).toBe("works");
  const { keys } = await api("LIST", "sys/leases/lookup/database/creds/report");
  const [key] = keys as string[];
  const lease = await api("PUT", "sys/leases/lookup", { lease_id: `database/creds/report/${key}` });
  const lasts = Date.parse(String(lease["expire_time"])) - Date.parse(String(lease["issue_time"]));
  expect(lasts / 1000).toBeLessThan(SECONDS + 100);

  writeFileSync(join(box.folder, "go"), "");
  const { code, stdout } = await box.ak(["runs", "resume", "last", "--json"], { env });
  expect([code, stdout]).toEqual([0, expect.stringContaining('"status":"success"')]);
  const left = stdout.split("\n").filter((line) => line.includes('"left"'));
  expect(left.map((line) => JSON.parse(line).message)).toEqual([
    expect.stringMatching(
      /^REPORT_DB: credentials database\/creds\/report of vault from an earlier attempt of this run were not revoked; valid until 2\S+Z$/,
    ),
  ]);
  // The output of `first` came from the lost credentials: it runs again with the new ones.
  const logins = [...loginsOf("first").slice(1), ...loginsOf("second").slice(-1)];
  expect(new Set(logins.map(({ username }) => username)).size).toBe(1);
  expect(logins[0]?.username).not.toBe(lost.username);
  for (const login of logins) expect(await attempt(login)).toBe("refused (28P01)");
  for (const { username, password } of [lost, ...logins]) {
    expect(stdout).not.toContain(username);
    expect(stdout).not.toContain(password);
  }
  const { stdout: shown } = await box.ak(["runs", "show", "last", "--secrets", "--json"], { env });
  const [secret] = JSON.parse(shown);
  expect(secret.leases.map(({ type }: { type: string }) => type)).toEqual(["created", "created", "revoked"]);
});

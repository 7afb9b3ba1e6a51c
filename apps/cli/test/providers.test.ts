import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { listen } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const TOKEN = "canary-token-0123456789";
const OUTSIDE = "outside-value-4711";
const LOCAL = "local-value-0815";

const WORKFLOW = `apiVersion: v1
id: deploy
secrets: [DB_PASSWORD]
tasks:
  - { id: say, type: core/console.log, inputs: { message: "it is {{ secrets.DB_PASSWORD }}" } }
`;

let box: Sandbox;
let server: Server;
let address: string;
interface Answer {
  status: number;
  body: string;
}

/** What the provider's server answers, whatever it is asked. */
let answer: Answer;
/** The same by what it is asked. */
let respond: (path: string) => Answer | Promise<Answer>;
const requests: string[] = [];

beforeEach(async () => {
  box = createSandbox();
  answer = { status: 200, body: OUTSIDE };
  respond = () => answer;
  requests.length = 0;
  server = createServer(({ url = "", headers }, response) => {
    requests.push(`${url} ${headers.authorization}`);
    void Promise.resolve(respond(url)).then(({ status, body }) => response.writeHead(status).end(body));
  });
  address = await listen(server);
  writeFileSync(join(box.folder, "deploy.yaml"), WORKFLOW);
  configure();
});
afterEach(() => {
  server.close();
  box.remove();
});

function configure(more = "", bindings = ""): void {
  const provider = `type: http, url: "${address}/v1/{name}", tokenEnv: PROVIDER_TOKEN, path: "{name}"${more}`;
  writeFileSync(join(box.folder, "autokestra.config.yaml"), `providers: { web: { ${provider} } }\n${bindings}`);
}

async function ak(line: string) {
  const result = await box.ak(line.split(" "), { env: { PROVIDER_TOKEN: TOKEN } });
  // Neither the token nor a value is ever shown.
  expect(result.stdout + result.stderr).not.toMatch(new RegExp(`${TOKEN}|${OUTSIDE}|${LOCAL}`));
  return result;
}

async function storeLocally(): Promise<void> {
  await box.ak(["secrets", "set", "DB_PASSWORD"], { input: LOCAL });
}

describe("configure external provider", () => {
  it("is checked without a call", async () => {
    expect(await ak("config validate")).toMatchObject({ code: 0, stdout: expect.stringMatching(/: ok\n$/) });
    const { stdout } = await ak("config validate --json");
    expect(JSON.parse(stdout)).toMatchObject({ providers: [{ id: "web", type: "http" }] });
    expect(requests).toEqual([]);
  });

  it.each([
    ["a mistyped option", ", ulr: x", "Unknown key 'ulr' in 'providers.web'", "Did you mean 'url'?"],
    ["a token in the file", `, token: ${TOKEN}`, "'providers.web.token' must not be in this file", "tokenEnv"],
  ])("refuses %s, with its place", async (_, more, message, hint) => {
    configure(more);
    const { code, stderr } = await ak("config validate");
    expect(code).toBe(5);
    expect(stderr).toContain(message);
    expect(stderr).toContain("autokestra.config.yaml:1:");
    expect(stderr).toContain(hint);
  });

  it("is refused where others can write to the file, for every command", async () => {
    chmodSync(join(box.folder, "autokestra.config.yaml"), 0o666);
    for (const line of ["config validate", "secrets list", "run deploy.yaml"]) {
      expect(await ak(line)).toMatchObject({ code: 5, stderr: expect.stringContaining("can be written by others") });
    }
  });

  it("says where the store, the key and the runs are", async () => {
    mkdirSync(join(box.folder, "elsewhere"));
    writeFileSync(
      join(box.folder, "autokestra.config.yaml"),
      "storage: { path: elsewhere/secrets, backend: file }\nkeyFile: elsewhere/key\nruns: { path: elsewhere/runs.db }\nmasking: { placeholder: '[hidden]' }\n",
    );
    await storeLocally();
    const { stdout } = await box.ak(["run", "deploy.yaml"]);
    expect(stdout).toContain("it is [hidden]");
    const { stdout: doctor } = await box.ak(["doctor"]);
    expect(doctor).toContain(`file in ${join(box.folder, "elsewhere/secrets")}`);
    expect(doctor).toContain(join(box.folder, "elsewhere/key"));
    expect((await box.ak(["runs", "list"])).stdout).toContain("deploy");
    // An option counts before it.
    const { stdout: other } = await box.ak(["--storage-path", "other", "secrets", "list", "--json"]);
    expect(JSON.parse(other)).toEqual([]);
  });

  it("is another file where that is named, and an error where it is not there", async () => {
    expect(await ak("--config none.yaml config validate")).toMatchObject({ code: 3 });
    rmSync(join(box.folder, "autokestra.config.yaml"));
    expect(await ak("config validate")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("There is no configuration"),
    });
  });
});

describe("resolve from external provider", () => {
  it("a run takes the value there, masks it, and says where it is from", async () => {
    await storeLocally();
    const { code, stdout } = await ak("run deploy.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain("workflow deploy; secrets: DB_PASSWORD from web");
    expect(stdout).toContain("it is ***SECRET***");
    expect(requests).toEqual([`/v1/DB_PASSWORD Bearer ${TOKEN}`]);
    const [run] = JSON.parse((await ak("runs list --json")).stdout);
    expect((await ak(`runs show ${run.execution}`)).stdout).toContain("DB_PASSWORD from web");
  });

  it("explains each source, and asks none for a list or an offline check", async () => {
    await storeLocally();
    expect((await ak("secrets explain DB_PASSWORD")).stdout).toMatch(
      /^DB_PASSWORD: from web\n {2}web +found +\d+ ms\n$/,
    );
    const { stdout } = await ak("check deploy.yaml --explain --json");
    expect(JSON.parse(stdout)[0].secrets).toMatchObject([{ name: "DB_PASSWORD", source: "web" }]);
    requests.length = 0;
    await ak("secrets list");
    const { stdout: offline } = await ak("check deploy.yaml --offline");
    expect(offline).toContain("note: Secret 'DB_PASSWORD' was not looked up");
    expect(requests).toEqual([]);
  });

  it("takes bound names from their place, and a token from the store", async () => {
    await box.ak(["secrets", "set", "WEB_TOKEN"], { input: TOKEN });
    writeFileSync(
      join(box.folder, "autokestra.config.yaml"),
      `providers: { web: { type: http, url: "${address}/v1/{name}", token: "{{ secrets.WEB_TOKEN }}" } }\nsecrets: { DB_PASSWORD: { provider: web, path: "apps/db", field: pass } }\n`,
    );
    answer.body = JSON.stringify({ user: "u", pass: OUTSIDE });
    const { code, stdout } = await ak("run deploy.yaml");
    expect([code, stdout.includes("it is ***SECRET***")]).toEqual([0, true]);
    expect(requests).toEqual([`/v1/apps/db Bearer ${TOKEN}`]);
  });

  it("doctor says whether it can be reached", async () => {
    expect((await ak("doctor")).stdout).toContain("ok      provider web (http): reachable");
  });
});

describe("provider failure with and without local fallback", () => {
  it("an outage lets the store stand in, and says so", async () => {
    await storeLocally();
    answer.status = 503;
    const { code, stdout, stderr } = await ak("run deploy.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain("DB_PASSWORD from store (version 1)");
    expect(stderr).toMatch(/warning: DB_PASSWORD: another source was asked, because web is not available: GET .*: 503/);
  });

  it("an outage without a local value is a missing secret that says why", async () => {
    answer.status = 503;
    const { code, stderr } = await ak("run deploy.yaml");
    expect(code).toBe(3);
    expect(stderr).toContain("Missing secrets: DB_PASSWORD");
    expect(stderr).toContain("web could not be asked");
  });

  it("with onUnavailable: fail an outage stops the run", async () => {
    await storeLocally();
    configure(", onUnavailable: fail");
    answer.status = 503;
    expect(await ak("run deploy.yaml")).toMatchObject({ code: 1, stdout: "" });
  });

  it.each([403, 401])("a refusal (%d) is never an outage", async (status) => {
    await storeLocally();
    answer.status = status;
    const { code, stderr } = await ak("run deploy.yaml");
    expect(code).toBe(1);
    expect(stderr).toContain("There is a value of that name in store, which was not used.");
  });
});

describe("least privilege", () => {
  beforeEach(storeLocally);

  function declare(...names: readonly string[]): void {
    const message = names.map((name) => `{{ secrets.${name} }}`).join(" and ");
    const task = `{ id: say, type: core/console.log, inputs: { message: "${message}" } }`;
    writeFileSync(
      join(box.folder, "deploy.yaml"),
      `apiVersion: v1\nid: deploy\nsecrets: [${names.join()}]\ntasks: [${task}]\n`,
    );
  }
  /** @param more of the provider; @param bindings of names */
  function configureToken(more: string, bindings: string): void {
    // The token may read one secret, and nothing else.
    respond = (path) => (path === "/v1/apps/api" ? { status: 200, body: OUTSIDE } : { status: 403, body: "" });
    const provider = `type: http, url: "${address}/v1/{name}", tokenEnv: PROVIDER_TOKEN${more}`;
    const text = `providers: { web: { ${provider} } }\nsecrets: { ${bindings} }\n`;
    writeFileSync(join(box.folder, "autokestra.config.yaml"), text);
  }

  it.each([
    ["its name is bound there", "", "API_KEY: { provider: web, path: apps/api }"],
    [
      "all unbound names are looked for there",
      ', path: "{name}"',
      "API_KEY: { provider: web, path: apps/api }, DB_PASSWORD: { provider: store }",
    ],
  ])("a provider that answers 403 for every name but one gives that one: %s", async (_, more, bindings) => {
    configureToken(more, bindings);
    declare("API_KEY", "DB_PASSWORD");
    const { code, stdout } = await ak("run deploy.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain("secrets: API_KEY from web, DB_PASSWORD from store (version 1)");
    expect(stdout).toContain("***SECRET*** and ***SECRET***");
    expect(requests).toEqual([`/v1/apps/api Bearer ${TOKEN}`]);
  });

  it.each([
    ["names are bound there", "", "OTHER: { provider: web }"],
    ["unbound names are looked for there", ', path: "{name}"', "DB_PASSWORD: { provider: store }"],
  ])(
    "a provider that answers 403 for every name but one stops no workflow that does not ask it: %s",
    async (_, more, bindings) => {
      configureToken(more, bindings);
      declare("DB_PASSWORD");
      expect(await ak("run deploy.yaml")).toMatchObject({ code: 0 });
      expect(requests).toEqual([]);
    },
  );

  it("a hanging first source leaves the second its time", async () => {
    respond = async (path) => {
      if (path.startsWith("/first")) return await new Promise(() => undefined);
      return { status: 200, body: OUTSIDE };
    };
    const provider = (name: string, timeoutSeconds: number) =>
      `{ type: http, url: "${address}/${name}/{name}", path: "{name}", timeoutSeconds: ${timeoutSeconds} }`;
    const text = `providers: { first: ${provider("first", 1)}, second: ${provider("second", 60)} }\nresolveTimeoutSeconds: 60\n`;
    writeFileSync(join(box.folder, "autokestra.config.yaml"), text);
    const { code, stdout, stderr } = await ak("run deploy.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain("secrets: DB_PASSWORD from second");
    expect(stderr).toContain("because first is not available");
  });
});

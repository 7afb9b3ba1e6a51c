import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../../../../packages/server/test/server-place.ts";
import { createPagePlace, expectGood, findTraces, type OpenedPage, type PagePlace, tabTo } from "../page-place.ts";

/** Tasks wait until a file with their name is here. */
const gates = mkdtempSync(join(tmpdir(), "autokestra-gates-"));
const open = (name: string) => writeFileSync(join(gates, name), "");

/** A task that ends once its gate is open, and closes it. */
const waits = (name: string, more = "") =>
  `{ id: ${name}, type: core/shell.run, ${more} inputs: { cwd: "${gates}", script: "echo ${name} waits; until [ -e ${name} ]; do sleep 0.05; done; rm ${name}; echo ${name} ends" } }`;

/** What is looked for again after seconds. */
const LONG = { timeout: 30_000 };

const MARKUP = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;

const WORKFLOWS = {
  "typo.yaml": `{ apiVersion: v1, id: typo, secrets: [NOT_THERE], tasks: [\n{ id: say, type: core/console.lgo, inputs: { message: hello } }] }`,
  "release.yaml": `
apiVersion: v1
id: release
secrets: [TOKEN]
inputs:
  environment: { type: string, description: Where it goes, enum: [staging, production], default: staging }
  version: { type: string, pattern: "^v" }
  replicas: { type: number, min: 1, max: 9, default: 3 }
  canary: { type: boolean, default: true }
  options: { type: json, default: { regions: [eu, us] } }
  passphrase: { type: string, secret: true }
tasks:
  - { id: checkout, type: core/console.log, inputs: { message: "clone with {{ secrets.TOKEN }} and {{ inputs.passphrase }}" } }
  - ${waits("build", "needs: [checkout],")}
  - { id: regions, type: core/console.log, needs: [build], forEach: "{{ inputs.options.regions }}", inputs: { message: "to {{ item }}" } }
  - { id: push, type: core/console.log, needs: [build], if: 'inputs.environment == "production"', inputs: { message: "push" } }
outputs: { version: "{{ inputs.version }}", replicas: "{{ inputs.replicas }}", canary: "{{ inputs.canary }}" }
`,
  "quick.yaml": `{ apiVersion: v1, id: quick, tasks: [{ id: say, type: core/console.log, inputs: { message: hello } }] }`,
  "slow.yaml": `{ apiVersion: v1, id: slow, tasks: [${waits("slow")}] }`,
  "cut.yaml": `{ apiVersion: v1, id: cut, tasks: [${waits("first")}, ${waits("second", "needs: [first],")}] }`,
  "flaky.yaml": `
apiVersion: v1
id: flaky
tasks:
  - { id: prepare, type: core/console.log, inputs: { message: prepared } }
  - { id: try, type: core/shell.run, needs: [prepare], retry: never, inputs: { cwd: "${gates}", script: "[ -e works ] || { echo it does not work >&2; exit 7; }" } }
`,
  "markup.yaml": `
apiVersion: v1
id: markup
inputs: { text: { type: string, description: '${MARKUP}', default: '${MARKUP}' } }
tasks:
  - { id: say, type: core/console.log, inputs: { message: "{{ inputs.text }}" } }
  - { id: fail, type: core/shell.run, needs: [say], retry: never, inputs: { command: "{{ inputs.text }}" } }
finally:
  - { id: again, type: core/console.log, inputs: { message: "{{ tasks.fail.error.message }}" } }
outputs: { html: "{{ inputs.text }}" }
`,
  "hook.yaml": `
apiVersion: v1
id: hook
secrets: [TOKEN]
trigger: { type: webhook, secret: TOKEN, signature: hmac-sha256 }
tasks: [{ id: say, type: core/console.log, inputs: { message: "got {{ inputs.body.text }}" } }]
`,
  "nightly.yaml": `
apiVersion: v1
id: nightly
enabled: false
trigger: { type: cron, cron: "0 3 * * *", timeZone: Europe/Berlin }
tasks: [{ id: say, type: core/console.log, inputs: { message: hello } }]
`,
};

let place: PagePlace;
let token: string;
beforeAll(async () => {
  place = await createPagePlace(WORKFLOWS);
  await place.manager.secrets.create({ name: "TOKEN", type: "apiKey", fields: { value: "stored-canary-77" } });
  token = await place.token("admin");
});
afterAll(async () => {
  await place.close();
  rmSync(gates, { recursive: true });
});

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name, exact: true });
const task = (page: Page, name: string) => page.getByRole("link", { name: new RegExp(`^${name}, core/`) });
const log = (page: Page) => page.getByRole("region", { name: "Lines" });
const lines = async (page: Page) => await log(page).getByRole("listitem").allTextContents();

async function start(workflow: string, inputs: object = {}): Promise<string> {
  const answer = await call(place.app, "POST", "/api/runs", token, { payload: { workflow, inputs } });
  return answer.json<{ execution: string }>().execution;
}

async function startEnded(workflow: string): Promise<string> {
  const id = await start(workflow);
  await place.ended(id);
  return id;
}

/** A run with as many lines, as a program has printed them. */
async function recordLines(count: number): Promise<string> {
  const { ledger } = place.engine.history;
  const execution = crypto.randomUUID();
  const base = { time: new Date().toISOString(), level: "info", execution } as const;
  const id = { id: execution, workflow: "quick", file: join(place.workflows, "quick.yaml"), secrets: [], tasks: [] };
  await ledger.createRun({ ...id, owner: { token: crypto.randomUUID() } });
  const printed = Array.from({ length: count }, (_, index) => {
    return { ...base, event: "task.log", task: "say", message: `line ${index + 1}` } as const;
  });
  await ledger.append(execution, [
    { ...base, event: "run.started", workflow: "quick", message: "workflow quick" },
    ...printed,
    { ...base, event: "run.finished", status: "success", durationMs: 1000, tasks: {}, masked: {} },
  ]);
  return execution;
}

async function openRun(id: string, role = "admin", width = 1280): Promise<OpenedPage> {
  const opened = await place.signIn(role, { hash: `#/runs/${id}`, width });
  await log(opened.page).or(opened.page.getByText("Nothing is recorded yet")).first().waitFor();
  return opened;
}

describe("a workflow", () => {
  it("is started from its form, watched while it runs, and shows what it has come to", async () => {
    const opened = await place.signIn("admin", { hash: "#/runs/workflows" });
    const { page } = opened;
    await page.getByRole("link", { name: "release", exact: true }).click();
    await heading(page, "release").waitFor();
    await expectGood(opened);
    await page.getByLabel("environment").selectOption("production");
    await page.getByLabel("version").fill("v2.0.0");
    await page.getByLabel("replicas").fill("5");
    await page.getByLabel("canary").uncheck();
    await page.getByLabel("options").fill("{ regions: }");
    await page.getByLabel("passphrase").fill("typed-canary-88");
    expect(await page.getByLabel("passphrase").getAttribute("type")).toBe("password");
    await button(page, "Start").click();
    await page.getByText("options is not JSON").waitFor();
    await expectGood(opened);
    await page.getByLabel("options").fill('{ "regions": ["eu", "us", "asia"] }');
    await button(page, "Start").click();

    await page.getByText("build waits").waitFor();
    await task(page, "checkout")
      .and(page.getByRole("link", { name: /Succeeded/ }))
      .waitFor();
    await task(page, "build")
      .and(page.getByRole("link", { name: /Running/ }))
      .waitFor();
    await task(page, "push")
      .and(page.getByRole("link", { name: /Waiting/ }))
      .waitFor();
    await expectGood(opened);
    open("build");
    await page.getByText("Complete").waitFor();
    await page.getByText("took").first().waitFor();
    await task(page, "push")
      .and(page.getByRole("link", { name: /Succeeded/ }))
      .waitFor();
    expect(
      JSON.parse((await page.getByRole("heading", { name: "Outputs" }).locator("+ pre").textContent()) ?? ""),
    ).toEqual({
      version: "v2.0.0",
      replicas: 5,
      canary: false,
    });

    await task(page, "regions").click();
    await page.getByText("3 items").waitFor();
    await expect.poll(async () => (await lines(page)).filter((line) => line.includes("to "))).toHaveLength(3);
    expect((await lines(page)).filter((line) => line.includes("build"))).toEqual([]);
    await page.getByRole("link", { name: "Close" }).click();
    await expect.poll(async () => (await lines(page)).join("\n")).toContain("build ends");
    await expectGood(opened);

    const secret = page.getByRole("row", { name: /^TOKEN/ });
    await expect.poll(async () => await secret.textContent()).toMatch(/store, version 1.*checkout message.*1 time/);
    for (const value of ["stored-canary-77", "typed-canary-88"]) expect(await findTraces(opened, value)).toEqual([]);
    await page.evaluate(() => history.go(-3));
    expect(await page.getByLabel("passphrase").inputValue()).toBe("");
    expect(await findTraces(opened, "typed-canary-88")).toEqual([]);
  });

  it("empties the fields of secrets where the server refuses the rest", async () => {
    const opened = await place.signIn("runner", { hash: "#/runs/workflows/release", width: 360 });
    const { page } = opened;
    await page.getByLabel("version").fill("2.0.0");
    await page.getByLabel("passphrase").fill("typed-canary-99");
    await button(page, "Start").click();
    await page.getByRole("alert").getByText("version").waitFor();
    expect(await page.getByLabel("version").inputValue()).toBe("2.0.0");
    expect(await page.getByLabel("passphrase").inputValue()).toBe("");
    expect(await findTraces(opened, "typed-canary-99")).toEqual([]);
    await expectGood(opened);
  });

  it("is started by keyboard alone", async () => {
    const { page } = await place.signIn("runner", { hash: "#/runs" });
    await tabTo(page, page.getByRole("link", { name: "Workflows", exact: true }));
    await page.keyboard.press("Enter");
    await tabTo(page, page.getByRole("link", { name: "quick", exact: true }));
    await page.keyboard.press("Enter");
    await heading(page, "quick").waitFor();
    await tabTo(page, button(page, "Start"));
    await page.keyboard.press("Enter");
    await page.getByText("Complete").waitFor();
    await tabTo(page, task(page, "say"));
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Task say" }).waitFor();
    expect(page.url()).toContain("task=say");
  });

  it("with a webhook is started with what a request would send", async () => {
    const { page } = await place.signIn("runner", { hash: "#/runs/workflows/hook" });
    await page.getByLabel("body").fill('{ "text": "by hand" }');
    await button(page, "Start").click();
    await page.getByText("got by hand").waitFor();
  });

  it("that is disabled cannot be started, and one whose file is broken says where", async () => {
    const opened = await place.signIn("runner", { hash: "#/runs/workflows/nightly" });
    const { page } = opened;
    await page.getByText("The workflow is disabled.").waitFor();
    await expectGood(opened);
    expect(await button(page, "Start").count()).toBe(0);
    const file = join(place.workflows, "quick.yaml");
    const found = async () => {
      const answer = await call(place.app, "GET", "/api/workflows/quick", token);
      return answer.json<{ problem: string | null; problems: readonly unknown[] }>();
    };
    writeFileSync(file, "apiVersion: v1\nid: quick\ntasks: 5\n");
    try {
      await expect.poll(async () => (await found()).problem).toContain("must be a list");
      await page.getByRole("link", { name: "Workflows" }).click();
      await page.getByRole("region", { name: "Problem of quick.yaml" }).getByText("'tasks' must be a list").waitFor();
      await page.getByText("the version of quick before stays in use").waitFor();
      await expectGood(opened);
    } finally {
      writeFileSync(file, WORKFLOWS["quick.yaml"]);
      await expect.poll(found).toMatchObject({ problem: null, problems: [] });
    }
  });
});

it("that would fail is not shown as ready, and says what a check finds before it is started", async () => {
  const opened = await place.signIn("admin", { hash: "#/runs/workflows" });
  const { page } = opened;
  const row = (id: string) => page.getByRole("row", { name: new RegExp(`^${id}`) });
  await row("typo").getByText("Would fail").waitFor();
  await row("quick").getByText("Ready").waitFor();
  const found = page.getByRole("region", { name: "Check of typo.yaml" });
  await found.getByText("would fail if it was started now").waitFor();
  await found.getByText(/^Line 2: .*core\/console\.lgo/).waitFor();
  await found.getByText(/Missing secrets: NOT_THERE/).waitFor();
  await expectGood(opened);
  await row("typo").getByRole("link").click();
  await page.getByRole("definition").getByText("Would fail").waitFor();
  await found.getByText(/core\/console\.lgo/).waitFor();
  await page.setViewportSize({ width: 360, height: 800 });
  await expectGood(opened);

  // What is only warned of can be started.
  await page.evaluate(() => location.assign("#/runs/workflows/markup"));
  await page.getByRole("definition").getByText("Ready").waitFor();
  await place.manager.secrets.create({ name: "NOT_THERE", type: "apiKey", fields: { value: "now it is" } });
  try {
    await expect
      .poll(async () => {
        const answer = await call(place.app, "GET", "/api/workflows/typo", token);
        return answer.body.includes("SECRETS_MISSING");
      }, LONG)
      .toBe(false);
    await page.evaluate(() => location.assign("#/runs/workflows/typo"));
    await found.getByText(/core\/console\.lgo/).waitFor();
    expect(await found.getByText(/Missing secrets: NOT_THERE/).count()).toBe(0);
  } finally {
    await place.manager.secrets.delete("NOT_THERE");
  }
});

describe("the list of runs", () => {
  it("is filtered, has pages, and looks for news while something goes on", async () => {
    const own = await createPagePlace(WORKFLOWS);
    try {
      const key = await own.token("admin");
      const begin = async (workflow: string) => {
        const answer = await call(own.app, "POST", "/api/runs", key, { payload: { workflow } });
        return answer.json<{ execution: string }>().execution;
      };
      const opened = await own.signIn("runner", { hash: "#/runs", width: 360, isAlone: true });
      const { page } = opened;
      await page.getByText("Nothing has run yet").waitFor();
      await expectGood(opened);
      for (let count = 0; count < 26; count++) await own.ended(await begin(count === 3 ? "flaky" : "quick"));
      const slow = await begin("slow");
      await page.clock.install();
      await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
      await page.reload();
      await page.getByLabel("Token").fill(key);
      await button(page, "Sign in").click();
      const row = page.getByRole("row", { name: /^slow/ });
      await row.getByText("Running").waitFor();
      await expectGood(opened);
      open("slow");
      await own.ended(slow);
      await page.clock.fastForward(3000);
      await row.getByText("Succeeded").waitFor();

      await button(page, "Next").click();
      await page.getByText("Page 2: 2 runs").waitFor();
      await button(page, "Previous").click();
      await page.getByText("25 runs, the newest first").waitFor();
      await page.getByLabel("State").selectOption("failed");
      await page.getByText("1 run, the newest first").waitFor();
      await page.getByLabel("Workflow").fill("slow");
      await page.clock.fastForward(1000);
      await page.getByText("No run is like this").waitFor();
      await page.getByRole("link", { name: "Show all runs" }).click();
      await row.waitFor();
    } finally {
      await own.close();
    }
  });
});

describe("a run", () => {
  it("is cancelled, goes on, and runs again from a task", async () => {
    const id = await start("slow");
    const opened = await openRun(id, "runner");
    const { page } = opened;
    await page.getByText("slow waits").waitFor();
    await button(page, "Cancel run").click();
    await expectGood(opened);
    await page.getByRole("dialog").getByRole("button", { name: "Cancel run" }).click();
    await page.getByText("Somebody cancelled it.").waitFor();
    await button(page, "Resume").click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await expect.poll(async () => (await lines(page)).filter((line) => line.includes("slow waits"))).toHaveLength(2);
    await task(page, "slow")
      .and(page.getByRole("link", { name: /Running/ }))
      .waitFor();
    open("slow");
    await page.getByText("Succeeded").first().waitFor();
    expect(page.url()).toContain(id);
  });

  it("that has failed says why first, and begins again where it failed", async () => {
    const id = await startEnded("flaky");
    const opened = await openRun(id, "runner", 360);
    const { page } = opened;
    await page.locator(".problem").getByText("exit code 7").waitFor();
    await task(page, "try").click();
    await expectGood(opened);
    await button(page, "Run again").click();
    await page.getByLabel(/^From try on/).check();
    await expectGood(opened);
    open("works");
    await page.getByRole("dialog").getByRole("button", { name: "Run again" }).click();
    await page.waitForURL((url) => !url.hash.includes(id));
    await page.getByText("Succeeded").first().waitFor();
    await page.getByText("again after run").waitFor();
    rmSync(join(gates, "works"));
  });

  it("is followed on after the connection was cut: no line is lost, and none comes twice", async () => {
    const id = await start("cut");
    const opened = await place.signIn("runner", { hash: `#/runs/${id}`, isAlone: true });
    const { page } = opened;
    await page.getByText("first waits").waitFor();
    await page.clock.install();
    // So that it stays lost for as long as somebody looks.
    await page.context().setOffline(true);
    place.app.server.closeAllConnections();
    await page.getByText("Connection lost, trying again").waitFor();
    await expectGood(opened);
    open("first");
    await expect.poll(() => existsSync(join(gates, "first"))).toBe(false);
    await page.context().setOffline(false);
    const says = async (text: string) => {
      await page.clock.runFor(200);
      return await page.getByText(text).count();
    };
    await expect.poll(async () => await says("Live")).toBe(1);
    open("second");
    await place.ended(id);
    await expect.poll(async () => await says("Complete")).toBe(1);
    const said = (await lines(page))
      .filter((line) => / (waits|ends)/.test(line))
      .map((line) => /\w+ (waits|ends)/.exec(line)?.[0]);
    expect(said).toEqual(["first waits", "first ends", "second waits", "second ends"]);
    const all = await call(place.app, "GET", `/api/runs/${id}/events`, token);
    expect(await lines(page)).toHaveLength(all.json<unknown[]>().length);
  });

  it("with 10 000 lines shows the newest, and earlier ones for whoever asks", async () => {
    const opened = await openRun(await recordLines(10_000), "runner");
    const { page } = opened;
    await page.getByText("Complete").waitFor();
    await page.getByText("line 10000").waitFor();
    expect(await log(page).getByRole("listitem").count()).toBe(200);
    await page.getByRole("button", { name: /^Show 1,000 earlier/ }).click();
    await expect.poll(async () => await log(page).getByRole("listitem").count()).toBe(1200);
    await page.getByLabel("Find").fill("line 7777");
    await expect.poll(async () => await log(page).getByRole("listitem").count()).toBe(1);
    await expectGood(opened);
    await page.getByLabel("Find").fill("");
    await page.getByLabel("Level").selectOption("error");
    await page.getByText("No line is like this").waitFor();
  });

  it("shows markup as text, wherever it comes from", async () => {
    const opened = await place.signIn("admin", { hash: "#/runs/workflows/markup" });
    const { page } = opened;
    await page.getByText(MARKUP).waitFor();
    await button(page, "Start").click();
    await page.getByText("Complete").waitFor();
    await task(page, "fail").click();
    await page.getByRole("region", { name: "Task fail" }).waitFor();
    await expectGood(opened);
    const elements = await page.evaluate(() => document.querySelectorAll("main img, main script").length);
    expect(elements).toBe(0);
    expect(await page.getByText("<img src=x").count()).toBeGreaterThan(2);
  });

  it("offers only what the token may do", async () => {
    const id = await startEnded("flaky");
    const reader = await place.open({ hash: `#/runs/${id}` });
    const { page } = reader;
    await page.route("**/api/session", async (route) => {
      const response = await route.fetch();
      const session = (await response.json()) as { permissions: string[] };
      await route.fulfill({ response, json: { ...session, permissions: ["runs:read"] } });
    });
    await page.getByLabel("Token").fill(token);
    await button(page, "Sign in").click();
    await page.getByText("Complete").waitFor();
    expect(await page.getByRole("main").getByRole("button").allTextContents()).toEqual([]);
    expect(await page.getByRole("link", { name: /audit/i }).count()).toBe(0);
    await page.goto(`${place.url}/#/runs/workflows/quick`);
    await heading(page, "quick").waitFor();
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
    expect(await button(page, "Start").count()).toBe(0);
  });

  it("that is not there says so", async () => {
    const opened = await place.signIn("runner", { hash: "#/runs/6a1f0c1e-7f0b-4a53-9a3e-0d1f5b6c7d8e" });
    await opened.page.getByText("There is no run with this id").first().waitFor();
    await expectGood(opened);
  });

  it("of a workflow that came as text has a list of its tasks", async () => {
    const id = await startEnded(
      `{ apiVersion: v1, id: text-only, tasks: [{ id: say, type: core/console.log, inputs: { message: hi } }] }`,
    );
    const opened = await openRun(id);
    const { page } = opened;
    await page.getByText("There is no picture").waitFor();
    await page.getByRole("row", { name: /^say/ }).getByText("Succeeded").waitFor();
    await expectGood(opened);
  });
});

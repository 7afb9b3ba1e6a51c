import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, it } from "vitest";
import { call } from "../../../packages/server/test/server-place.ts";
import { DEMO_WORKFLOWS, storeDemoSecrets } from "./demo.ts";
import { createPagePlace, expectGood, type PagePlace } from "./page-place.ts";

let place: PagePlace;
const gate = "/tmp/q/pageruns/gate";
beforeAll(async () => {
  place = await createPagePlace({
    ...DEMO_WORKFLOWS,
    "release.yaml": `
apiVersion: v1
id: release
secrets: [GITHUB_TOKEN, REGISTRY]
inputs:
  environment: { type: string, description: Where it goes, enum: [staging, production], default: staging }
  version: { type: string, description: "Such as v1.4.0", pattern: "^v", min: 2 }
  replicas: { type: number, min: 1, max: 9, default: 3 }
  canary: { type: boolean, description: Only to one server at first, default: true }
  options: { type: json, default: { regions: [eu, us] } }
  passphrase: { type: string, secret: true }
tasks:
  - { id: checkout, type: core/console.log, inputs: { message: "clone with {{ secrets.GITHUB_TOKEN }}" } }
  - { id: build, type: core/shell.run, needs: [checkout], inputs: { env: { VERSION: "{{ inputs.version }}" }, script: "echo building $VERSION; while [ ! -e ${gate} ]; do sleep 0.1; done; echo built" } }
  - { id: lint, type: core/console.log, needs: [checkout], inputs: { message: "no problem found" } }
  - { id: test, type: core/shell.run, needs: [checkout], retry: { max: 2, backoffSeconds: 0.1 }, inputs: { script: "echo 312 tests; exit 3" }, continueOnError: true }
  - { id: regions, type: core/console.log, needs: [build, lint], forEach: "{{ inputs.options.regions }}", inputs: { message: "deploy {{ item }}" } }
  - { id: push, type: core/console.log, needs: [build, test], if: 'inputs.environment == "production"', inputs: { message: "push as {{ secrets.REGISTRY.username }}" } }
finally:
  - { id: notify, type: core/console.log, inputs: { message: "deployed <b>it</b>" } }
outputs: { version: "{{ inputs.version }}", list: "{{ inputs.options }}" }
`,
    "broken.yaml": "apiVersion: v1\nid: broken\ntasks: 5\n",
    "off.yaml":
      "apiVersion: v1\nid: off\nenabled: false\ntasks: [{ id: a, type: core/console.log, inputs: { message: hi } }]\n",
    "fails.yaml":
      "apiVersion: v1\nid: fails\ntasks: [{ id: a, type: core/shell.run, inputs: { command: 'false' } }, { id: b, needs: [a], type: core/console.log, inputs: { message: hi } }]\n",
  });
  await storeDemoSecrets(place);
});
afterAll(async () => await place.close());

it("shows", async () => {
  mkdirSync("/tmp/q/pageruns/shots", { recursive: true });
  const opened = await place.signIn("admin", { hash: "#/runs" });
  const { page } = opened;
  const shot = async (name: string) =>
    void (await page.screenshot({ path: `/tmp/q/pageruns/shots/${name}.png`, fullPage: true }));
  await page.getByText("Nothing has run yet").waitFor();
  await shot("empty");
  page.setDefaultTimeout(8000);
  const token = await place.token("admin");
  for (const workflow of ["deploy", "fails"])
    await call(place.app, "POST", "/api/runs", token, { payload: { workflow } });
  console.log(
    ((await call(place.app, "GET", "/api/workflows", token)).json() as any[])
      .map((w) => `${w.id} ${w.file} ${w.problem}`)
      .join("\n"),
  );
  await page.getByRole("link", { name: "Workflows", exact: true }).click();
  await page.getByRole("link", { name: "release" }).waitFor();
  await shot("workflows");
  await expectGood(opened);
  await page.getByRole("link", { name: "release" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor();
  await expectGood(opened);
  await shot("workflow");
  await page.getByLabel("version").fill("v2.0.0");
  await page.getByLabel("passphrase").fill("hunter2-hunter2");
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForTimeout(2000);
  await shot("started");
  await page.getByText("building v2").first().waitFor();
  await page.getByRole("link", { name: /^test, .*Failed/ }).click();
  await expectGood(opened);
  await page.emulateMedia({ colorScheme: "light" });
  await shot("running");
  writeFileSync(gate, "");
  await page.getByText("Complete").waitFor();
  await page.waitForTimeout(500);
  await shot("ended");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 800 });
  await shot("ended-360");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Runs" }).click();
  await page.getByRole("link", { name: "fails" }).waitFor();
  await expectGood(opened);
  await shot("list");
  await page.getByRole("link", { name: "fails" }).click();
  await page.getByText("Complete").waitFor();
  await shot("failed");
  await page.getByRole("button", { name: "Run again" }).click();
  await shot("dialog");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Audit", exact: true }).click();
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("as it was written:").waitFor();
  await expectGood(opened);
  await page.emulateMedia({ colorScheme: "light" });
  await shot("audit");
  await page.setViewportSize({ width: 360, height: 800 });
  await shot("audit-360");
});

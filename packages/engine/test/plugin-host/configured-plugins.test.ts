import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@autokestra/config";
import { installPluginSdk } from "@autokestra/test-kit";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adoptCredentials, corePlugins, describePlugins, parseWorkflow, workflowJsonSchema } from "../../src/index.ts";
import { writeFiles } from "./installed-plugin.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-described-")));

const MAIL = `import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
const tree = z.object({ name: z.string(), get children() { return z.array(tree); } });
const send = defineAction({
  description: "Sends a message.",
  input: z.strictObject({ to: z.email(), pin: z.string().meta({ secret: true }), tree: tree.optional() }),
  run: () => null,
});
export const plugin = definePlugin({ name: "acme/mail", actions: { send } });
`;
/** The same name a second time. */
const TWIN = MAIL.replace("actions: { send }", "actions: { send: send, other: send }");

beforeAll(async () => {
  await installPluginSdk(folder);
  writeFiles(folder, { "mail.mjs": MAIL, "twin.mjs": TWIN, "broken.mjs": "throw new Error('no')\n" });
});
afterAll(() => rmSync(folder, { recursive: true }));

async function describe(plugins: string) {
  const config = parseConfig(`plugins: ${plugins}\n`, join(folder, "autokestra.config.yaml"));
  return await describePlugins(config, { env: { HOME: folder }, storagePath: join(folder, "secrets") });
}

const workflow = (inputs: object) => ({
  apiVersion: "v1",
  id: "w",
  tasks: [{ id: "t", type: "acme/mail.send", inputs }],
});

it("are in the JSON Schema of workflow files, which lets anything be inside of what is recursive", async () => {
  const plugins = [...corePlugins, ...(await describe("[./mail.mjs]"))];
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(workflowJsonSchema(plugins));
  const tree = { name: "a", children: [{ name: "b", children: [] }] };
  const wrong = { name: 3, children: [] };
  const validities = [
    { to: "a@b.example", pin: "{{ secrets.PIN }}", tree },
    { to: "a@b.example", pin: "1", tree: wrong },
    { to: "a@b.example", pin: "1", cc: "c" },
    { to: "a@b.example" },
  ].map((inputs) => validate(workflow(inputs)));
  expect(validities).toEqual([true, true, false, false]);
});

it("tell which of their inputs are credentials", async () => {
  const parsed = parseWorkflow(JSON.stringify(workflow({ to: "a@b.example", pin: "0815" })), "w.json");
  expect(adoptCredentials(parsed).secrets).toEqual([]);
  const plugins = [...corePlugins, ...(await describe("[./mail.mjs]"))];
  expect(adoptCredentials(parsed, { plugins }).secrets).toMatchObject([{ name: "T_PIN", value: "0815" }]);
});

it.each([
  [
    "one that cannot be loaded",
    "[./mail.mjs, ./broken.mjs]",
    { problems: [{ code: "CONFIG_INVALID", position: { line: 1, column: 23 } }] },
  ],
  ["one that is not there", "[./nowhere.mjs]", { code: "CONFIG_INVALID" }],
  ["two of the same name", "[./mail.mjs, ./twin.mjs]", { code: "OPTION_INVALID" }],
])("are refused: %s", async (_, plugins, error) => {
  await expect(describe(plugins)).rejects.toMatchObject(error);
});

it("are none where none is configured", async () => {
  expect(await describe("[]")).toEqual([]);
});

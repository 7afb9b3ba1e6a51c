import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPluginSdk } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locatePlugin } from "../../src/plugin-host/locate-plugin.ts";
import { tryRun } from "../run/try-run.ts";
import { writeFiles } from "./installed-plugin.ts";
import { openHost } from "./open-host.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-locate-")));
const project = join(root, "project");
const config = join(project, "autokestra.config.yaml");
const plugin = 'import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";\n';
const hi = `${plugin}export const plugin = definePlugin({ name: "acme/hi", actions: { say: defineAction({ input: z.unknown(), run: () => 1 }) } });\n`;

beforeAll(async () => {
  mkdirSync(project);
  await installPluginSdk(root);
  writeFiles(project, {
    "package.json": '{ "type": "module" }',
    "autokestra.config.yaml": "",
    "one.js": hi,
    "plugins/two.js": hi,
    "own/package.json": '{ "type": "module", "autokestra": { "plugin": "acme/own" } }',
    "own/src/index.js": hi,
    "node_modules/@acme/plugin-x/package.json":
      '{ "name": "@acme/plugin-x", "type": "module", "exports": { "import": "./x.js" } }',
    "node_modules/@acme/plugin-x/x.js": hi,
    "throws.js": 'throw new Error("on purpose");\n',
    "nothing.js": "export const a = 1;\n",
    "syntax.js": "export const = 1;\n",
    "core.js": hi.replace("acme/hi", "core/http"),
    "late.js": 'void Promise.reject(new Error("late"));\nawait new Promise(() => undefined);\n',
    "exits.js": "process.exit(0);\n",
    "star*/index.js": hi,
  });
  symlinkSync(join(project, "own"), join(project, "linked"));
});
afterAll(() => rmSync(root, { recursive: true }));

describe("what the process of a plugin can read", () => {
  const readable = (specifier: string) => {
    const { readable: paths } = locatePlugin(specifier, config, [config]);
    return paths.filter((path) => !path.includes("node_modules")).map((path) => path.slice(project.length));
  };
  it.each([
    ["beside the configuration: itself", "./one.js", ["/one.js"]],
    ["in a folder of the project: that folder", "./plugins/two.js", ["/plugins/"]],
    ["in a package of its own: that package", "./own/src/index.js", ["/own/"]],
    ["behind a link: where it leads", "./linked/src/index.js", ["/own/"]],
    ["installed: its package, and what is beside it", "@acme/plugin-x", []],
  ])("%s", (_where, specifier, expected) => {
    expect(readable(specifier)).toEqual(expected);
  });

  it("does not hold what no plugin may read", () => {
    const kept = [config, join(project, "node_modules/.keys/secret.key")];
    expect(() => locatePlugin("./one.js", config, kept)).toThrow("its process could read");
    expect(() => locatePlugin("./own/src/index.js", config, [join(project, "own/src/index.js")])).toThrow();
  });
});

describe("a plugin that cannot be used", () => {
  it.each([
    ["./no.js", "there is no such file"],
    ["@acme/none", "there is no such package"],
    ["./star*/index.js", "its path has an asterisk or a comma"],
    ["./throws.js", "its module fails: Error: on purpose"],
    ["./late.js", "its module fails: late"],
    ["./syntax.js", "its module fails: SyntaxError"],
    ["./nothing.js", "its module does not export what definePlugin returns as `plugin`"],
    ["./exits.js", "the process of the plugin ended before the action did (exit code 0)"],
    ["./core.js", "its action 'core/http.say' belongs to another plugin"],
    ["./own/src/index.js", "its package.json calls it 'acme/own', and its module 'acme/hi'"],
  ])("is told with its line of the configuration: %s", async (module, why) => {
    const host = openHost(project, `\n  - "${module}"`);
    const run = tryRun("  - { id: t, type: acme/hi.say, inputs: {} }", { loadPlugins: host.load });
    await expect(run).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`The plugin '${module}' cannot be used: ${why}`),
      problems: [{ position: { line: 2 } }],
    });
    await host.close();
  });

  it("does not matter to a workflow that does not use it", async () => {
    const host = openHost(project, `["./own/src/index.js", "./one.js"]`);
    const { finished } = await tryRun("  - { id: t, type: core/console.log, inputs: { message: a } }", {
      loadPlugins: host.load,
    });
    expect(finished.status).toBe("success");
    await host.close();
  });
});

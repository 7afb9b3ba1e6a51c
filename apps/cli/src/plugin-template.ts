/**
 * The files of a new plugin. JavaScript, so that it runs as it is on every Node.js, with types from the SDK in the editor.
 *
 * @param name of the plugin, such as `acme/mail`
 * @param version of the SDK
 */
export function pluginFiles(name: string, version: string): Readonly<Record<string, string>> {
  const [namespace, plugin] = name.split("/");
  const manifest = {
    name: `@${namespace}/plugin-${plugin}`,
    version: "0.1.0",
    type: "module",
    // For a configuration that names the folder.
    main: "./src/index.js",
    exports: "./src/index.js",
    files: ["src"],
    // The command starts the plugin only for workflows that use it.
    autokestra: { plugin: name },
    scripts: { test: "node --test test/*.test.js" },
    engines: { node: ">=20.19" },
    dependencies: { "@autokestra/plugin-sdk": `^${version}` },
  };
  return {
    "package.json": `${JSON.stringify(manifest, null, 2)}\n`,
    "src/index.js": INDEX.replaceAll("NAME", name),
    "test/index.test.js": TEST,
    "README.md": README.replaceAll("NAME", name).replaceAll("PACKAGE", manifest.name),
    ".gitignore": "node_modules/\n",
  };
}

const INDEX = `import { allowsHost, defineAction, definePlugin, TaskError, z } from "@autokestra/plugin-sdk";

export const send = defineAction({
  description: "Sends a message to a web hook.",
  input: z.strictObject({
    url: z.url(),
    token: z.string().min(1).meta({ secret: true }),
    message: z.string(),
  }),
  output: z.object({ id: z.string() }),
  async run({ url, token, message }, { log, network, signal }) {
    if (network?.hosts && !allowsHost(network.hosts, new URL(url))) {
      throw new TaskError({ message: "a secret in the inputs does not allow this host", retryable: false });
    }
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: \`Bearer \${token}\`, "content-type": "application/json" },
      body: JSON.stringify({ message }),
      redirect: "error",
      signal,
    });
    if (!response.ok) throw new TaskError({ message: "the hook refused the message", status: response.status });
    const { id } = await response.json();
    log.info("sent", { id });
    return { id };
  },
});

export const plugin = definePlugin({ name: "NAME", actions: { send } });
`;

const TEST = `import assert from "node:assert/strict";
import { test } from "node:test";
import { expectNoLeak, runAction, startFakeServer } from "@autokestra/plugin-sdk/testing";
import { send } from "../src/index.js";

const token = "t0ken-of-the-test";

test("sends a message, and shows nothing of the token", async () => {
  const server = await startFakeServer({ "POST /hook": { body: { id: "m-1" } } });
  try {
    const { output } = await expectNoLeak(send, { url: \`\${server.url}/hook\`, token, message: "hi" }, { TOKEN: token });
    assert.deepEqual(output, { id: "m-1" });
    assert.equal(server.requests[0].headers.authorization, \`Bearer \${token}\`);
  } finally {
    await server.close();
  }
});

test("fails with the status of the hook", async () => {
  const server = await startFakeServer({ "POST /hook": { status: 503 } });
  try {
    const running = runAction(send, { url: \`\${server.url}/hook\`, token, message: "hi" });
    await assert.rejects(running, { name: "TaskError", status: 503 });
  } finally {
    await server.close();
  }
});
`;

const README = `# PACKAGE

A plugin for [autokestra](https://github.com/OWNER/autokestra) with the action \`NAME.send\`.

\`\`\`sh
npm install
npm test
\`\`\`

To use it, name it in \`autokestra.config.yaml\`: its folder, or \`PACKAGE\` once it is installed there with npm.

\`\`\`yaml
plugins: ["./path/to/this/folder"]
\`\`\`

\`\`\`yaml
tasks:
  - id: send
    type: NAME.send
    inputs: { url: "https://hooks.example.com/x", token: "{{ secrets.HOOK_TOKEN }}", message: hi }
\`\`\`
`;

// `npm run quickstart`: installs, builds, then does the main job once, in a folder that is removed afterwards.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEchoServer } from "./echo-server.mjs";
import { pnpm } from "./pnpm.mjs";
import { repository } from "./workspace.mjs";

const CLI = join(repository, "apps/cli/dist/autokestra.cjs");
const WORKFLOW = join(repository, "examples/quickstart.yaml");
const API_KEY = "sk_live_51Hq9ZtK8vExample";
const PASSWORD = "correct-horse-7";

for (const command of [["install", "--frozen-lockfile"], ["build"]]) {
  const status = pnpm(...command);
  if (status !== 0) process.exit(status);
}

const folder = mkdtempSync(join(tmpdir(), "autokestra-quickstart-"));
const server = await startEchoServer();
try {
  await ak(["secrets", "set", "API_KEY", "--description", "payment service"], API_KEY);
  await ak(
    ["secrets", "set", "DB", "--type", "basicAuth", "--field", "username=reporting", "--field", "password=-"],
    PASSWORD,
  );
  const output = await ak(["run", WORKFLOW, "--input", `url=${server.url}`]);
  await ak(["secrets", "list"]);
  report(output);
} finally {
  server.close();
  rmSync(folder, { recursive: true });
}

/**
 * Runs the command as a person would, shows what was typed and what came out, and returns it.
 *
 * @param {string[]} args
 * @param {string} [input] Standard input; as `printf '…' |` it is not shown.
 */
async function ak(args, input) {
  const shown = args.map((arg) => arg.replace(repository, "").replace(/^\//, ""));
  const typed = shown.map((arg) => (arg.includes(" ") ? `"${arg}"` : arg)).join(" ");
  console.log(`\n$ ${input === undefined ? "" : "printf '…' | "}autokestra ${typed}`);
  const env = { PATH: process.env["PATH"], HOME: folder };
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(input ?? "");
  let output = "";
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    output += chunk;
  }
  const code = child.exitCode ?? (await new Promise((resolve) => child.on("close", resolve)));
  if (code !== 0) throw new Error(`autokestra ${args[0]} ended with ${code}`);
  return output;
}

/** @param {string} output */
function report(output) {
  const basic = Buffer.from(`reporting:${PASSWORD}`).toString("base64");
  const [headers] = server.requests;
  const sent = headers?.["x-api-key"] === API_KEY && headers.authorization === `Basic ${basic}`;
  const leaks = [API_KEY, PASSWORD, basic].filter((value) => output.includes(value)).length;
  console.log(`\nThe server got the real values: ${sent ? "yes" : "NO"}. Values in the output: ${leaks}.`);
  if (!sent || leaks > 0) process.exitCode = 1;
}

// O2: the container of docs/operate/Containerfile, without a program for containers: the packed command under a read-only root, with a
// mounted key, a user without privileges, account and home, and one folder that it can write to. Its environment, command and user are read
// from that file.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { installTarballs } from "../../scripts/packages/install-tarballs.mjs";
import { packPackages } from "../../scripts/packages/pack.mjs";
import { outcomeOf } from "./support/outcome-of.mjs";
import { HAS_OWN_MOUNTS, runWithOwnMounts } from "./support/own-mounts.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { everythingIn, inFolder } from "./support/sandbox.mjs";

const containerfile = readFileSync("docs/operate/Containerfile", "utf8");
const uid = Number(/^USER (\d+)/m.exec(containerfile)?.[1]);
const env = Object.fromEntries(
  [...containerfile.matchAll(/\b([A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
);
/** @type {string[]} */
const command = JSON.parse(/^CMD (\[.*\])$/m.exec(containerfile)?.[1] ?? "[]");
const data = /^VOLUME (\S+)$/m.exec(containerfile)?.[1] ?? "";

/** @param {string} root @param {string} path @param {string} options @param {string} [source] */
function mount(root, path, options, source) {
  const point = join(root, path);
  mkdirSync(point, { recursive: true });
  if (source === undefined) execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", point]);
  else {
    execFileSync("mount", ["--rbind", source, point]);
    if (options !== "") execFileSync("mount", ["-o", `remount,bind,${options}`, point]);
  }
}

/**
 * Uses the root of a container. It is in no folder that is removed with what is in it: that would remove what is mounted there.
 *
 * @param {string} folder @param {string | null} key @param {(root: string) => Promise<void>} use
 */
async function inRoot(folder, key, use) {
  const root = mkdtempSync(join(tmpdir(), "autokestra-root-"));
  try {
    fillRoot(root, folder, key);
    await use(root);
  } finally {
    execFileSync("umount", ["--recursive", "--lazy", root]);
    rmdirSync(root);
  }
}

/** @param {string} root @param {string} folder @param {string | null} key */
function fillRoot(root, folder, key) {
  mount(root, "", "mode=0755");
  for (const path of ["usr", "lib", "lib64", "bin"]) {
    try {
      mount(root, path, "ro", statSync(`/${path}`).isDirectory() ? `/${path}` : undefined);
    } catch {
      // Not every machine has all of them.
    }
  }
  mount(root, "app", "ro", join(folder, "installed"));
  mount(root, "proc", "", "/proc");
  mount(root, "tmp", "mode=1777");
  mount(root, data, "", join(folder, "data"));
  mkdirSync(join(root, "dev"));
  for (const device of ["null", "urandom"]) {
    writeFileSync(join(root, "dev", device), "");
    execFileSync("mount", ["--bind", `/dev/${device}`, join(root, "dev", device)]);
  }
  mkdirSync(join(root, "etc/autokestra"), { recursive: true });
  const proxy = "behindProxy: [127.0.0.1/32]";
  writeFileSync(join(root, "etc/autokestra/autokestra.config.yaml"), `server: { host: 0.0.0.0, port: 0, ${proxy} }\n`);
  if (key !== null) {
    const path = env["AUTOKESTRA_SECRET_KEY_FILE"] ?? "";
    mount(root, dirname(path), "mode=0755");
    writeFileSync(join(root, path), key, { mode: 0o400 });
    chownSync(join(root, path), uid, uid);
    execFileSync("mount", ["-o", "remount,ro", join(root, dirname(path))]);
  }
  execFileSync("mount", ["-o", "remount,ro", root]);
}

/** @param {string} root @param {readonly string[]} args */
function start(root, args) {
  const drop = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"];
  const user = [`--reuid=${uid}`, `--regid=${uid}`, ...drop];
  return spawn("chroot", [root, "/usr/bin/setpriv", ...user, ...args], {
    env: { PATH: `/app/node_modules/.bin:${dirname(process.execPath)}:/usr/bin:/usr/sbin:/bin`, ...env },
    stdio: "pipe",
  });
}

/** @param {string} root @param {readonly string[]} args */
async function run(root, args) {
  return await outcomeOf(start(root, args), "");
}

/** Serves while `use` runs. @param {string} root @param {(address: string) => Promise<void>} use */
async function serve(root, use) {
  const child = start(root, ["autokestra", ...command]);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const closed = new Promise((resolve) => child.on("close", resolve));
  const ready = new Promise((resolve, reject) => {
    child.stderr.on("data", () => /ready on \S+\n/.test(said) && resolve(undefined));
    void closed.then(() => reject(new Error(said)));
  });
  await ready;
  await use(`http://127.0.0.1:${/ready on \S+:(\d+)/.exec(said)?.[1]}`);
  child.kill("SIGTERM");
  return { code: await closed, said };
}

/** What was not as it must be. @param {string} folder */
async function findProblems(folder) {
  /** @type {string[]} */
  const problems = [];
  const installed = join(folder, "installed");
  mkdirSync(installed);
  const tarballs = packPackages(folder).filter(({ manifest }) => manifest.name === "@autokestra/cli");
  installTarballs(installed, tarballs);
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  chownSync(join(folder, "data"), uid, uid);
  for (let path = folder; path !== "/"; path = dirname(path)) chmodSync(path, statSync(path).mode | 0o011);

  await inRoot(folder, "0123456789abcdef".repeat(4), async (root) => {
    const refused = await run(root, ["/bin/sh", "-c", "echo x > /x || echo x > /app/x || echo x > /etc/x"]);
    if (refused.status === 0) problems.push("the root can be written to");
    const made = await run(root, ["autokestra", "tokens", "create", "admin", "--role", "admin"]);
    const headers = { authorization: `Bearer ${made.stdout.trim()}`, "content-type": "application/json" };
    const first = await serve(root, async (address) => {
      const body = JSON.stringify({ name: "KEPT", value: "in the volume" });
      const { status } = await fetch(`${address}/api/secrets`, { method: "POST", headers, body });
      if (status !== 201) problems.push(`create: ${status}`);
    });
    const second = await serve(root, async (address) => {
      const { id } = /** @type {{ id: string }} */ (
        await (await fetch(`${address}/api/secrets/name/KEPT`, { headers })).json()
      );
      const answer = await fetch(`${address}/api/secrets/${id}/decrypt`, { headers });
      const { value } = /** @type {{ value: string }} */ (await answer.json());
      if (value !== "in the volume") problems.push("the value is gone after a restart");
      const ready = await fetch(`${address}/health/ready`);
      if (ready.status !== 200) problems.push(`ready: ${ready.status}`);
    });
    for (const { code, said } of [first, second]) {
      if (code !== 0) problems.push(`exit ${code}`);
      const warnings = said.split("\n").filter((line) => /^(warning|error|note)/.test(line));
      problems.push(...warnings);
    }
    const verified = await run(root, ["autokestra", "audit", "verify"]);
    if (verified.status !== 0) problems.push(verified.stdout + verified.stderr);
    for (const path of everythingIn(join(folder, "data"))) {
      const { mode, uid: owner } = statSync(path);
      if ((mode & 0o077) !== 0 || owner !== uid) problems.push(`${path}: ${mode.toString(8)}`);
    }
    const left = readdirSync(join(root, "tmp"));
    if (left.length > 0) problems.push(`left in /tmp: ${left.join(", ")}`);
  });
  // The volume is there, and the key is not: nothing is served, and no other key is made.
  await inRoot(folder, null, async (root) => {
    const { status, stderr } = await run(root, ["autokestra", ...command]);
    if (status !== 4) problems.push(`without its key: exit ${status}: ${stderr}`);
  });
  return problems;
}

async function row() {
  const id = "O2";
  const tools = ["mount", "chroot", "setpriv", "npm"].filter((tool) => spawnSync(tool, ["--version"]).error);
  if (!HAS_OWN_MOUNTS || tools.length > 0) {
    return { id, figure: "not run", missing: tools.join(", ") || "unshare as root" };
  }
  return await inFolder(async (folder) => {
    const problems = await findProblems(folder);
    for (const problem of problems) console.log(problem);
    const figure = `the packed command under a read-only root as uid ${uid}, with a mounted key and a volume: ${problems.length} problems`;
    return { id, figure, pass: problems.length === 0 };
  });
}

if (!runWithOwnMounts()) printRows([await inRound("O2", row)]);

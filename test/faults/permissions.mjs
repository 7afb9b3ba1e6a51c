// P1: under any umask, nothing that a command makes can be reached by others, at no instant: strace sees each creation. P7:
// drafts are made with O_EXCL and 0600, and none is left. P10: another user reads none of it.
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, everythingIn, inFolder } from "./support/sandbox.mjs";
import { HAS_STRACE, traced } from "./support/strace.mjs";

const WORKFLOW = `apiVersion: v1
id: w
secrets: [A]
tasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.A }}" } }]
`;

const UMASKS = process.argv.includes("--short") ? ["000"] : ["000", "002", "022", "077"];
/** What these tests have made themselves. */
const OURS = ["w.yaml", "import.json"];
const INPUT = "canary-value";
const CREATING = "open,openat,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat";

/** A whole session. @param {string} backend @returns {readonly (readonly string[])[]} */
function commands(backend) {
  const other = backend === "sqlite" ? "file" : "sqlite";
  return [
    ["secrets", "set", "A", "--storage-backend", backend],
    ["secrets", "set", "B"],
    ["secrets", "set", "A"],
    ["secrets", "get", "A"],
    ["secrets", "list"],
    ["run", "w.yaml"],
    ["run", "w.yaml", "--json"],
    ["check", "w.yaml"],
    ["export", "w.yaml"],
    ["secrets", "import", "--from", "json", "--file", "import.json"],
    ["secrets", "rollback", "A", "--to", "1"],
    ["secrets", "versions", "A"],
    ["secrets", "delete", "B", "--force"],
    ["secrets", "restore", "B"],
    ["secrets", "delete", "B", "--purge", "--force"],
    ["secrets", "backup", "copy"],
    ["secrets", "rotate-key"],
    ["secrets", "rotate-key", "--data-key"],
    ["secrets", "rotate-key", "--new-key-file", "new.key"],
    ["secrets", "set", "C", "--key-file", "new.key"],
    ["secrets", "migrate", "--to", other],
    ["secrets", "backup", "copy-of-the-other", "--key-file", "new.key"],
    ["secrets", "migrate", "--to", backend],
    ["secrets", "restore-backup", "copy-of-the-other", "--key-file", "new.key"],
    ["doctor", "--key-file", "new.key"],
  ];
}

/** What the commands have made. @param {string} folder */
function madeIn(folder) {
  // The home folder itself is this test's as much as the command's.
  const others = [...OURS, "home"].map((name) => join(folder, name));
  return everythingIn(folder).filter((path) => !others.includes(path));
}

/** @param {string} path */
function isLoose(path) {
  return (lstatSync(path).mode & 0o077) !== 0;
}

/** @param {string} folder */
function prepare(folder) {
  writeFileSync(join(folder, "w.yaml"), WORKFLOW);
  writeFileSync(join(folder, "import.json"), JSON.stringify({ ONE: "value one", TWO: "value two" }));
}

const figures = { looks: 0, calls: 0, drafts: 0, files: 0, readable: 0 };
/** @type {string[]} */
const loose = [];
/** @type {string[]} */
const careless = [];
/** @type {string[]} */
const left = [];

/** @param {string} folder @param {string} backend @param {string} umask */
function look(folder, backend, umask) {
  prepare(folder);
  for (const args of commands(backend)) {
    const { status, stderr } = ak(folder, args, { umask, input: INPUT });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
    const made = madeIn(folder);
    figures.looks += made.length;
    /** @param {string} path */
    const where = (path) => `umask ${umask}, ${backend}, ${args.join(" ")}: ${path.slice(folder.length)}`;
    loose.push(...made.filter(isLoose).map(where));
    left.push(...made.filter((path) => path.endsWith(".draft")).map(where));
  }
}

/** As another user. @param {string} folder */
function readAsNobody(folder) {
  chmodSync(folder, 0o755);
  for (const path of madeIn(folder).filter((file) => lstatSync(file).isFile())) {
    figures.files += 1;
    const { status } = spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "cat", path]);
    if (status === 0) figures.readable += 1;
  }
}

/** The same under umask 000, where each creation is seen with the mode it asks for. @param {string} folder @param {string} backend */
async function watch(folder, backend) {
  prepare(folder);
  for (const args of commands(backend)) {
    const { status, stderr, lines } = await traced(folder, args, { calls: CREATING, umask: "000", input: INPUT });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status} under strace: ${stderr}`);
    const creations = lines.filter(isCreation);
    figures.calls += creations.length;
    loose.push(...creations.filter(asksForLoose).map((line) => `${args.join(" ")}: ${line}`));
    const drafts = creations.filter((line) => line.includes('.draft"') && line.includes("open"));
    figures.drafts += drafts.length;
    careless.push(...drafts.filter((line) => !line.includes("O_EXCL")).map((line) => `${args.join(" ")}: ${line}`));
  }
}

/** SQLite says O_CREAT also where it fills a file that was made for it. @param {string} line @param {number} index @param {readonly string[]} lines */
function isCreation(line, index, lines) {
  if (!/ open(at)?\(/.test(line)) return true;
  const path = /"(.*)"/.exec(line)?.[1] ?? "";
  const isThere = lines
    .slice(0, index)
    .some((earlier) => earlier.includes(`"${path}", `) && earlier.includes("O_EXCL"));
  return line.includes("O_CREAT") && !isThere;
}

/** @param {string} line */
function asksForLoose(line) {
  const mode = /, 0(\d+)(?:\)| <unfinished)/.exec(line)?.[1];
  return mode === undefined || (Number.parseInt(mode, 8) & 0o077) !== 0;
}

const canBeNobody = spawnSync("setpriv", ["--version"]).status === 0 && process.geteuid?.() === 0;
for (const backend of ["sqlite", "file"]) {
  for (const umask of UMASKS) {
    await inRound(`${backend}, umask ${umask}`, async () => {
      await inFolder((folder) => {
        look(folder, backend, umask);
        if (canBeNobody) readAsNobody(folder);
      });
    });
  }
  if (!HAS_STRACE) continue;
  await inRound(`${backend}, strace`, async () => await inFolder(async (folder) => await watch(folder, backend)));
}

for (const line of [...loose, ...careless, ...left]) console.log(line);
const { looks, calls, drafts, files, readable } = figures;
const strace = { figure: "not run", missing: "strace" };
const setpriv = { figure: "not run", missing: "setpriv as root" };
const p1 = {
  pass: looks > 0 && calls > 0 && loose.length === 0,
  figure: `${looks} looks at files and folders, ${calls} calls that make one, ${loose.length} loose`,
};
const p7 = {
  pass: drafts > 0 && careless.length === 0 && left.length === 0,
  figure: `${drafts} drafts made, ${careless.length} without O_EXCL, ${left.length} left`,
};
const p10 = { pass: files > 0 && readable === 0, figure: `${files} files, ${readable} readable by uid 65534` };
printRows([
  { id: "P1", ...(HAS_STRACE ? p1 : strace) },
  { id: "P7", ...(HAS_STRACE ? p7 : strace) },
  { id: "P10", ...(canBeNobody ? p10 : setpriv) },
]);

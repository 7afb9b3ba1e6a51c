// Tests run in a home and a temporary folder of their own; what they change elsewhere, or leave in these two, is found here.
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { mustRun, toolEnvironment } from "./run.mjs";
import { repository } from "./workspace.mjs";

/**
 * @typedef {object} Outside What is watched. What does not exist is watched too: it must not appear.
 * @property {readonly string[]} places Type, mode, owner and device number of each; not what is in it.
 * @property {readonly { folder: string, names: RegExp }[]} folders The same of the entries with such names.
 * @property {readonly string[]} trees The same of everything below, and size and time of its files.
 * @property {string | null} worktree Where `git status` must say the same before and after. Null for none.
 *
 * @typedef {Record<string, string>} Facts Of one place, in the order in which they are reported.
 */

/** Size and time of files in the home folder are left out: shells and editors write there at any time. */
const ALL = /^/;
/** Names without the six random characters of mkdtemp: folders with them belong to other runs at the same time. */
const FIXED_NAMES = /^autokestra(?!.*-[A-Za-z0-9]{6}$)/;
const DEVICES = ["full", "null", "random", "shm", "tty", "urandom", "zero"].map((name) => `/dev/${name}`);
/** Variables that would give the tests the settings and secrets of the user who runs them. */
const PERSONAL = /^(AUTOKESTRA|WORKFLOW_SECRETS|XDG)_/;

/** What is watched on this machine. @returns {Outside} */
function thisMachine() {
  const homes = [...new Set([homedir(), accountHome()])];
  const temporary = [...new Set(["/tmp", tmpdir()])];
  return {
    places: ["/", "/dev", ...DEVICES, "/etc", ...homes, ...temporary, repository],
    folders: [
      ...homes.map((folder) => ({ folder, names: ALL })),
      ...temporary.map((folder) => ({ folder, names: FIXED_NAMES })),
    ],
    trees: ["/etc/passwd", "/etc/hosts", ...homes.map((home) => join(home, ".autokestra"))],
    worktree: repository,
  };
}

/** The home of the account, whatever HOME says: where a test ends up that says no HOME. */
function accountHome() {
  try {
    return userInfo().homedir;
  } catch {
    // In a container the user may have no account.
    return homedir();
  }
}

/**
 * A folder in memory, where nothing waits for a disk; the temporary folder of the system where there is none, or too little of it.
 *
 * @param {string} [folder]
 * @param {number} [bytes] What must be free. Default: more than all files of the unit tests have at once.
 */
export function fastFolder(folder = "/dev/shm", bytes = 2 ** 30) {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes ? folder : tmpdir();
  } catch {
    return tmpdir();
  }
}

/**
 * Runs tests in a private home and temporary folder, and finds what they have changed outside of these, or left in them.
 *
 * @template T
 * @param {(environment: NodeJS.ProcessEnv) => T | Promise<T>} work Runs the tests in this environment, to their end.
 * @param {Outside} [outside] Default: this machine.
 * @param {string} [parent] Where home and temporary folder are made. Default: the temporary folder of the system.
 * @returns {Promise<{ result: T, problems: string[] }>} Each problem names one place, and what has become of it.
 */
export async function runInside(work, outside = thisMachine(), parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, "autokestra-inside-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  // As /tmp: some tests act as another user.
  chmodSync(folder, 0o755);
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  try {
    const before = takeSnapshot(outside);
    const result = await work(privateEnvironment(home, temporary));
    const problems = compareSnapshots(before, takeSnapshot(outside));
    return { result, problems: [...problems, ...leftIn(home, "HOME"), ...leftIn(temporary, "TMPDIR")] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * That of this process, with another home and temporary folder.
 *
 * @param {string} home
 * @param {string} temporary
 * @returns {NodeJS.ProcessEnv}
 */
export function privateEnvironment(home, temporary) {
  const places = { HOME: home, USERPROFILE: home, TMPDIR: temporary, TMP: temporary, TEMP: temporary };
  return { ...environmentWithout(PERSONAL), ...places };
}

/** @param {RegExp} names @returns {NodeJS.ProcessEnv} */
function environmentWithout(names) {
  return Object.fromEntries(Object.entries(toolEnvironment()).filter(([name]) => !names.test(name)));
}

/** @param {string} folder @param {string} name */
function leftIn(folder, name) {
  return readdirSync(folder).map((entry) => {
    const below = namesIn(join(folder, entry)).slice(0, 3);
    return `left in ${name}: ${entry}${below.length > 0 ? ` (with ${below.join(", ")})` : ""}`;
  });
}

/**
 * What is at the watched places now.
 *
 * @param {Outside} outside
 * @returns {Map<string, Facts>}
 */
function takeSnapshot({ places, folders, trees, worktree }) {
  const entries = folders.flatMap(({ folder, names }) =>
    namesIn(folder)
      .filter((name) => names.test(name))
      .map((name) => join(folder, name)),
  );
  /** @type {Map<string, Facts>} */
  const snapshot = new Map([...places, ...entries].map((path) => [path, factsOf(path)]));
  for (const path of trees.flatMap(everythingIn)) snapshot.set(path, { ...factsOf(path), ...contentOf(path) });
  for (const [file, status] of gitStatus(worktree)) snapshot.set(`work tree: ${file}`, { "git status": status });
  return snapshot;
}

/** A file, or a folder and all below it. @param {string} path @returns {string[]} */
function everythingIn(path) {
  return [path, ...namesIn(path).flatMap((name) => everythingIn(join(path, name)))];
}

/** The names in a folder; none where it is no folder, is a link, or cannot be read. @param {string} folder */
function namesIn(folder) {
  try {
    return lstatSync(folder).isDirectory() ? readdirSync(folder) : [];
  } catch {
    return [];
  }
}

/** @param {string} path @returns {Facts} */
function factsOf(path) {
  const stats = statsOf(path);
  if (typeof stats === "string") return { type: stats };
  return {
    type: typeOf(stats),
    mode: (stats.mode & 0o7777).toString(8),
    owner: `${stats.uid}:${stats.gid}`,
    device: stats.isCharacterDevice() || stats.isBlockDevice() ? String(stats.rdev) : "none",
  };
}

/** @param {string} path @returns {Facts} */
function contentOf(path) {
  const stats = statsOf(path);
  return typeof stats === "string" || !stats.isFile()
    ? {}
    : { size: String(stats.size), "time of change": stats.mtime.toISOString() };
}

/** @param {string} path @returns {import("node:fs").Stats | string} Why there are none, where there are none. */
function statsOf(path) {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? "nothing";
  } catch (error) {
    return String(/** @type {NodeJS.ErrnoException} */ (error).code);
  }
}

/** @param {import("node:fs").Stats} stats */
function typeOf(stats) {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "folder";
  if (stats.isSymbolicLink()) return "link";
  return stats.isCharacterDevice() || stats.isBlockDevice() ? "device" : "socket or pipe";
}

/**
 * The files that git calls changed or new. None where this is no checkout.
 *
 * @param {string | null} worktree
 * @returns {[file: string, status: string][]}
 */
function gitStatus(worktree) {
  if (worktree === null || !existsSync(join(worktree, ".git"))) return [];
  const args = ["--no-optional-locks", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"];
  // A hook of git that runs the tests says GIT_DIR.
  const output = mustRun("git", args, { cwd: worktree, env: environmentWithout(/^GIT_/) });
  const lines = output.split("\0").filter(Boolean);
  return lines.map((line) => [line.slice(3), line.slice(0, 2).trim()]);
}

/**
 * @param {ReadonlyMap<string, Facts>} before
 * @param {ReadonlyMap<string, Facts>} after
 * @returns {string[]} One line for each place that has changed.
 */
function compareSnapshots(before, after) {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((path) => {
    const [was, is] = [before.get(path) ?? {}, after.get(path) ?? {}];
    const names = Object.keys({ ...was, ...is }).filter((name) => was[name] !== is[name]);
    // Of what has appeared, is gone or is of another type now, the rest says nothing.
    const told = names.includes("type") ? ["type"] : names;
    const changes = told.map((name) => `${name} was ${was[name] ?? "nothing"}, is ${is[name] ?? "nothing"}`);
    return changes.length === 0 ? [] : [`${path}: ${changes.join("; ")}`];
  });
}

// KP4: a key that is mounted as Kubernetes and Docker mount secrets is read, with a warning where others can read it, and refused
// anywhere else. K21: where the key folder is full or read-only, no key is made and none is replaced, exit 1; reads go on.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fullDisk, readOnly } from "./support/disk-faults.mjs";
import { HAS_OWN_MOUNTS, runWithOwnMounts } from "./support/own-mounts.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, inFolder } from "./support/sandbox.mjs";

/**
 * @typedef {object} Place
 * @property {string} name
 * @property {(folder: string, key: string) => string} mount Makes it and returns the path of the key.
 * @property {boolean} isRead
 * @property {boolean} [isWarned]
 */

/** @param {string} folder @param {string} options */
function mountTmpfs(folder, options) {
  const point = join(folder, "mounted");
  mkdirSync(point);
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", point]);
  return point;
}

/** @param {string} point */
function seal(point) {
  execFileSync("mount", ["-o", "remount,ro", point]);
}

/**
 * As Kubernetes lays out a secret: the names lead through a link to the folder of the day.
 *
 * @param {string} point @param {string} key @param {number} mode
 */
function layOut(point, key, mode) {
  mkdirSync(join(point, "..2026_01_01"), { mode: 0o755 });
  writeFileSync(join(point, "..2026_01_01", "key"), key);
  chmodSync(join(point, "..2026_01_01", "key"), mode);
  symlinkSync("..2026_01_01", join(point, "..data"));
  symlinkSync("..data/key", join(point, "key"));
  return join(point, "key");
}

/** @param {number} mode @returns {Place["mount"]} */
function kubernetes(mode) {
  return (folder, key) => {
    const point = mountTmpfs(folder, "mode=1777");
    const path = layOut(point, key, mode);
    seal(point);
    return path;
  };
}

/** @param {string} options @param {number} [folderMode] @returns {Place["mount"]} */
function writable(options, folderMode = 0o755) {
  return (folder, key) => {
    const point = mountTmpfs(folder, options);
    const path = layOut(point, key, 0o444);
    chmodSync(join(point, "..2026_01_01"), folderMode);
    return path;
  };
}

/** One file over another, as Docker mounts a secret. @param {boolean} isReadOnly @returns {Place["mount"]} */
function docker(isReadOnly) {
  return (folder, key) => {
    const [source, path] = [join(folder, "source"), join(folder, "docker-key")];
    for (const [file, content] of /** @type {const} */ ([
      [source, key],
      [path, ""],
    ]))
      writeFileSync(file, content);
    chmodSync(source, 0o444);
    execFileSync("mount", ["--bind", source, path]);
    if (isReadOnly) execFileSync("mount", ["-o", "remount,bind,ro", path]);
    return path;
  };
}

/** @type {readonly Place[]} */
const PLACES = [
  { name: "Kubernetes, 0444", mount: kubernetes(0o444), isRead: true, isWarned: true },
  { name: "Kubernetes, 0440", mount: kubernetes(0o440), isRead: true, isWarned: true },
  { name: "Kubernetes, 0400", mount: kubernetes(0o400), isRead: true },
  { name: "Docker, 0444", mount: docker(true), isRead: true, isWarned: true },
  { name: "a tmpfs where only root writes", mount: writable("mode=0755"), isRead: true, isWarned: true },
  { name: "a tmpfs as /tmp is one", mount: writable("mode=1777"), isRead: false },
  { name: "a tmpfs with a folder for all", mount: writable("mode=0755", 0o777), isRead: false },
  { name: "a writable bind mount", mount: docker(false), isRead: false },
];

/** @param {Place} place @returns {Promise<string[]>} problems */
async function tryPlace({ name, mount, isRead, isWarned = false }) {
  return await inFolder((folder) => {
    ak(folder, ["secrets", "set", "A"], { input: "value" });
    const key = readFileSync(join(folder, "home", ".autokestra", "secret.key"), "utf8");
    const path = mount(folder, key);
    try {
      const { status, stdout, stderr } = ak(folder, ["secrets", "get", "A", "--key-file", path]);
      const problems = stderr.includes(key.trim()) ? [`${name}: the key is shown`] : [];
      if (isRead !== (status === 0 && stdout === "value")) problems.push(`${name}: exit ${status}: ${stderr}`);
      if (!isRead && status !== 4) problems.push(`${name}: exit ${status} instead of 4`);
      if (isRead && isWarned !== /others can read the mounted key/.test(stderr))
        problems.push(`${name}: said ${stderr}`);
      return problems;
    } finally {
      execFileSync("umount", ["--lazy", path.endsWith("docker-key") ? path : join(folder, "mounted")]);
    }
  });
}

/**
 * A key folder on a disk of its own. Where the fault is in `.workflow`, it is in the key folder too: they are one.
 *
 * @param {import("./support/disk-faults.mjs").Fault} fault
 * @param {boolean} hasStore
 * @returns {Promise<string[]>} problems
 */
async function tryKeyFolder(fault, hasStore) {
  return await inFolder(async (folder) => {
    const disk = join(folder, ".workflow");
    mkdirSync(disk);
    mkdirSync(join(folder, "home"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", disk]);
    symlinkSync(disk, join(folder, "home", ".autokestra"));
    try {
      const elsewhere = ["--storage-path", join(folder, "store")];
      if (hasStore) ak(folder, ["secrets", "set", "A", ...elsewhere], { input: "value" });
      const before = readdirSync(disk);
      const end = await fault.begin(folder, "sqlite");
      const command = hasStore ? ["secrets", "rotate-key"] : ["secrets", "set", "A"];
      const { status, stderr } = ak(folder, [...command, ...elsewhere], { input: "value" });
      const value = hasStore ? ak(folder, ["secrets", "get", "A", ...elsewhere]).stdout : "value";
      await end();
      const problems = [];
      if (status !== 1 || !fault.reason.test(stderr)) problems.push(`exit ${status}: ${stderr}`);
      if (value !== "value") problems.push("reads do not go on");
      const after = readdirSync(disk).filter((name) => !/^secret\.key\.[0-9a-f]{16}$/.test(name));
      if (after.join() !== before.join()) problems.push(`left behind: ${after.join()}`);
      return problems.map((problem) => `${command.join(" ")}, ${fault.reason}: ${problem}`);
    } finally {
      execFileSync("umount", ["--lazy", disk]);
    }
  });
}

/** @param {string} id @param {string} what @param {readonly (() => Promise<string[]>)[]} attempts */
async function row(id, what, attempts) {
  if (!HAS_OWN_MOUNTS) return { id, figure: "not run", missing: "root with unshare" };
  const problems = [];
  for (const attempt of attempts) problems.push(...((await inRound(id, attempt)) ?? []));
  for (const problem of problems) console.log(problem);
  return { id, figure: `${attempts.length} ${what}: ${problems.length} problems`, pass: problems.length === 0 };
}

async function rows() {
  const faults = [fullDisk(0), readOnly].flatMap((fault) => [false, true].map((hasStore) => ({ fault, hasStore })));
  return [
    await row(
      "KP4",
      "places of a mounted key",
      PLACES.map((place) => async () => await tryPlace(place)),
    ),
    await row(
      "K21",
      "key folders that are full or read-only",
      faults.map(
        ({ fault, hasStore }) =>
          async () =>
            await tryKeyFolder(fault, hasStore),
      ),
    ),
  ];
}

if (!runWithOwnMounts()) printRows(await rows());

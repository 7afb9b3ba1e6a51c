import { execFileSync } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openFileStore } from "../../../packages/secrets-store-file/dist/index.js";
import { placeOf } from "./installation.mjs";
import { openDatabase } from "./open-database.mjs";

/**
 * @typedef {object} Fault
 * @property {RegExp} reason What the error says of it.
 * @property {(folder: string, backend: string) => Promise<() => Promise<void> | void>} begin Returns what ends it.
 * @property {readonly string[]} [under] The command that runs the command.
 * @property {boolean} [isInside] It is a fault of this process: the command is called in it.
 * @property {boolean} [isReadable] Whether reading must work. Else it may be refused, never wrong.
 * @property {number} [longest] Seconds. Default: none.
 */

/** @param {number} free How many bytes are left. @returns {Fault} */
export function fullDisk(free) {
  return {
    reason: /no space left|disk is full/,
    isReadable: true,
    async begin(folder) {
      const filler = join(folder, ".workflow", "filler");
      writeUntilFull(filler);
      truncateSync(filler, Math.max(0, statSync(filler).size - free));
      return () => rmSync(filler);
    },
  };
}

/** @param {string} path */
function writeUntilFull(path) {
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch {
    closeSync(file);
  }
}

/** @type {Fault} */
export const noInodes = {
  reason: /no space left|disk is full/,
  isReadable: true,
  async begin(folder) {
    const fillers = join(folder, ".workflow", "fillers");
    mkdirSync(fillers);
    try {
      for (let index = 0; ; index++) closeSync(openSync(join(fillers, String(index)), "w"));
    } catch {
      return () => rmSync(fillers, { recursive: true });
    }
  },
};

/** @type {Fault} */
export const readOnly = {
  reason: /read-only/,
  isReadable: true,
  async begin(folder) {
    const remount = (/** @type {string} */ mode) =>
      execFileSync("mount", ["-o", `remount,${mode}`, join(folder, ".workflow")]);
    remount("ro");
    return () => void remount("rw");
  },
};

const nothing = async () => () => undefined;

/** @param {number} bytes @returns {Fault} */
export function fileSizeLimit(bytes) {
  const reason = /file too large|disk is full|disk failed to read or write|limit of file sizes/;
  return { reason, isReadable: true, under: ["prlimit", `--fsize=${bytes}`], begin: nothing };
}

/** @param {number} free How many files can still be opened. @returns {Fault} */
export function fewFiles(free) {
  return {
    reason: /too many open files|unable to open/,
    isInside: true,
    async begin() {
      const files = openUntilRefused();
      for (const file of files.splice(0, free)) closeSync(file);
      return () => {
        for (const file of files) closeSync(file);
      };
    },
  };
}

function openUntilRefused() {
  const files = [];
  try {
    for (;;) files.push(openSync("/dev/null", "r"));
  } catch {
    return files;
  }
}

/** Another user runs the command. @type {Fault} */
export const foreignOwner = {
  reason: /permission denied|belongs to another|other users|unable to open/,
  under: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  async begin(folder) {
    chmodSync(folder, 0o755);
    chmodSync(join(folder, ".workflow"), 0o755);
    return () => undefined;
  },
};

/** Another process, this one, has the store for itself. @type {Fault} */
export const locked = {
  reason: /lock/,
  isReadable: true,
  // The wait of the stores is 5 seconds, and the lock is held until the command ends: only one that waits for that takes this long.
  longest: 60,
  async begin(folder, backend) {
    return backend === "sqlite" ? lockDatabase(placeOf(folder)) : await lockFile(placeOf(folder));
  },
};

/** @param {string} place */
function lockDatabase(place) {
  const database = openDatabase(join(place, "secrets.db"));
  database.exec("BEGIN EXCLUSIVE");
  return () => database.close();
}

/** @param {string} place */
async function lockFile(place) {
  const store = await openFileStore(join(place, "secrets.json"), { create: false });
  const { promise, release } = signal();
  const { promise: isHeld, release: held } = signal();
  const work = store.exclusively(async () => {
    held();
    await promise;
  });
  await isHeld;
  return async () => {
    release();
    await work;
    await store.close();
  };
}

/** A promise that can be resolved from outside. */
function signal() {
  /** @type {() => void} */
  let release = () => undefined;
  /** @type {Promise<void>} */
  const promise = new Promise((done) => {
    release = done;
  });
  return { promise, release };
}

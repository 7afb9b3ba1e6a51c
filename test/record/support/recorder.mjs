import { spawn } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { outcomeOf } from "../../faults/support/outcome-of.mjs";
import { CLI, environment } from "../../faults/support/sandbox.mjs";
import { createNormaliser } from "./normalise.mjs";

/** Takes from root what passes over permissions. */
const RESTRICTED = process.geteuid?.() === 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];

/** Runs a program in a pseudo-terminal; the tests of the command use it too. */
const IN_TERMINAL = resolve("packages/test-kit/src/in_terminal.py");

/**
 * @typedef {object} CallOptions
 * @property {string} [input] Standard input. Default: empty.
 * @property {Readonly<Record<string, string>>} [env] Variables for this call.
 * @property {string} [cwd] A folder below that of the recording. Default: that folder.
 * @property {NodeJS.Signals} [signal] Ends the command.
 * @property {Promise<void>} [when] The moment of the signal.
 * @property {boolean} [restricted] Permissions bind it, as they bind everybody but root.
 *
 * @typedef {object} TerminalOptions
 * @property {number} [columns] Default: 80.
 * @property {readonly ({ wait: string } | { send: string })[]} [steps] What a person waits for and types.
 *
 * @typedef {ReturnType<typeof createRecorder>} Recorder
 */

/**
 * Makes a recorder of what the command prints. It works in an empty folder, with a home of its own in it.
 *
 * @param {string} root
 * @param {string} driver Of the stores in it, for topics that are recorded once for each.
 */
export function createRecorder(root, driver) {
  const folder = realpathSync(root);
  const normalise = createNormaliser({ [folder]: "<folder>", [resolve(".")]: "<repository>" });
  /** @type {string[]} */
  const entries = [];
  // No store above the folder is found from it.
  mkdirSync(join(folder, ".git"));

  /** Begins a part of the recording. @param {string} title */
  function part(title) {
    entries.push(`# ${title}\n`);
  }

  /**
   * Runs the command and records what it prints.
   *
   * @param {string} line As typed in a shell; only single quotes are known.
   * @param {CallOptions} [options]
   */
  async function ak(line, options = {}) {
    const { input = "", env = {}, cwd = ".", signal, when, restricted = false } = options;
    const [command = "", ...args] = [...(restricted ? RESTRICTED : []), process.execPath, CLI, ...splitLine(line)];
    const child = spawn(command, args, {
      cwd: join(folder, cwd),
      env: { ...environment(folder), ...env },
    });
    if (signal !== undefined) void when?.then(() => child.kill(signal));
    const outcome = await outcomeOf(child, input);
    const call = normalise(describeCall(line, options));
    const printed = mark("1> ", normalise(outcome.stdout)) + mark("2> ", normalise(outcome.stderr));
    entries.push(`${call}${printed}exit ${outcome.status}\n`);
    return outcome;
  }

  /**
   * Runs the command in a terminal and records what is seen there.
   *
   * @param {string} line
   * @param {TerminalOptions} [options]
   */
  async function terminal(line, { columns = 80, steps = [] } = {}) {
    const task = {
      argv: [process.execPath, CLI, ...splitLine(line)],
      env: { ...environment(folder), TERM: "xterm" },
      cwd: folder,
      columns,
      steps,
    };
    const { stdout, stderr } = await outcomeOf(spawn("python3", [IN_TERMINAL]), JSON.stringify(task));
    if (stdout === "") throw new Error(`${IN_TERMINAL}: ${stderr}`);
    const { output, code } = JSON.parse(stdout);
    const call = normalise(describeCall(`${line} (in a terminal of ${columns} columns)`));
    entries.push(`${call}${mark("tty> ", normalise(output))}exit ${code}\n`);
  }

  /**
   * Writes a file, and the folders above it. Returns its whole path.
   *
   * @param {string} path Below the folder.
   * @param {string} text
   */
  function write(path, text) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** Records which files there are, and their modes. */
  function files() {
    const lines = readdirSync(folder, { recursive: true, encoding: "utf8" })
      // What is kept of compiled code has other names under another Node, and in another checkout.
      .filter((name) => !/(?:^|\/)\.cache(?:\/|$)/.test(name))
      .filter((path) => path !== ".git")
      .map((path) => `${normalise(path)} ${(lstatSync(join(folder, path)).mode & 0o7777).toString(8)}\n`);
    entries.push(`$ find\n${lines.toSorted().join("")}`);
  }

  /** Records names, one a line. @param {readonly string[]} list */
  function names(list) {
    entries.push(list.map((name) => `${name}\n`).join(""));
  }

  const text = () => entries.join("\n");
  return { folder, driver, part, ak, terminal, write, files, names, text };
}

/** @param {string} line @param {CallOptions} [options] */
function describeCall(line, { input, env = {}, cwd, signal } = {}) {
  const place = cwd === undefined ? "" : `(cd ${cwd}) `;
  const variables = Object.entries(env).map(([name, value]) => `${name}='${value}' `);
  const given = input === undefined ? "" : ` < ${JSON.stringify(input)}`;
  return `$ ${place}${variables.join("")}autokestra ${line}${given}${signal === undefined ? "" : ` (${signal})`}\n`;
}

/** @param {string} line @returns {string[]} */
function splitLine(line) {
  const words = line.match(/(?:[^\s']|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ""));
}

/** Puts a mark before each line, shows tabs, and says where the last line has no end. @param {string} prefix @param {string} text */
function mark(prefix, text) {
  if (text === "") return "";
  const lines = text.replace(/\n$/, "").replaceAll("\t", "\\t").split("\n");
  const marked = lines.map((line) => (line === "" ? prefix.trimEnd() : `${prefix}${line}`));
  return `${marked.join("\n")}${text.endsWith("\n") ? "" : " (no line end)"}\n`;
}

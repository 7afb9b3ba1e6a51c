// K8, KP6: a paste, Ctrl-C, Ctrl-D and signals at a prompt in a real terminal, on every Node.js that FAULTS_NODES lists (paths, by `:`).
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { printRows } from "./support/rounds.mjs";
import { ak, CLI, environment, inFolder } from "./support/sandbox.mjs";

const NODES = (process.env["FAULTS_NODES"] ?? process.execPath).split(":");
const DRIVER = resolve("packages/test-kit/src/in_terminal.py");
const PEM = `-----BEGIN KEY-----\n${`${"A".repeat(63)}/\n`.repeat(28)}-----END KEY-----`;
const TYPED = PEM.replaceAll("\n", "\r");

/** @param {string} folder @param {string} node @param {readonly object[]} steps */
function setInTerminal(folder, node, steps) {
  const argv = [node, CLI, "--storage-backend", "file", "secrets", "set", "KEY"];
  const env = { ...environment(folder), TERM: "xterm" };
  const input = JSON.stringify({ argv, env, cwd: folder, columns: 80, steps });
  const { stdout } = spawnSync("python3", [DRIVER], { input, encoding: "utf8" });
  return stdout === "" ? { code: null, restored: false } : JSON.parse(stdout);
}

/** @param {string} node @param {readonly object[]} answer @param {number} code @param {string} value Stored afterwards. */
async function isRight(node, answer, code, value) {
  return await inFolder((folder) => {
    const end = setInTerminal(folder, node, [{ wait: "(not shown): " }, ...answer]);
    const stored = ak(folder, ["--storage-backend", "file", "secrets", "get", "KEY"]).stdout;
    return end.code === code && end.restored && stored === value;
  });
}

const CONFIRM = [{ wait: "(y/n): " }, { send: "y\r" }];
/** @type {Record<string, [answer: readonly object[], code: number, value: string][]>} */
const CASES = {
  K8: [
    [[{ send: TYPED }, ...CONFIRM], 0, PEM],
    [[{ send: `\u001b[200~${TYPED}\u001b[201~` }, ...CONFIRM], 0, PEM],
    [[{ send: TYPED }, { wait: "(y/n): " }, { send: "n\r" }], 5, ""],
  ],
  KP6: [
    [[{ send: "a\u0004" }], 130, ""],
    [[{ send: "a\u0003" }], 130, ""],
    [[{ signal: "SIGTERM" }], 143, ""],
    [[{ signal: "SIGHUP" }], 129, ""],
  ],
};

const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;
const rows = [];
for (const [id, cases] of Object.entries(CASES)) {
  let right = 0;
  for (const node of hasPython ? NODES : []) {
    for (const [answer, code, value] of cases) right += (await isRight(node, answer, code, value)) ? 1 : 0;
  }
  const versions = NODES.map((node) => spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()).join(", ");
  const all = cases.length * NODES.length;
  const figure = `${right} of ${all} answers at a prompt end as they should, with the terminal as it was, on Node.js ${versions}`;
  rows.push(hasPython ? { id, figure, pass: right === all } : { id, figure: "not run", missing: "python3" });
}
printRows(rows);

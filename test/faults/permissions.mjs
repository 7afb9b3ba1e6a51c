// P1: under any umask, nothing that the command makes can be read by others. P10: another user reads none of it.
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ak, everythingIn, inFolder } from "./support/sandbox.mjs";

const WORKFLOW = `apiVersion: v1
id: w
secrets: [A]
tasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.A }}" } }]
`;

const COMMANDS = [
  ["secrets", "set", "A"],
  ["secrets", "set", "B"],
  ["secrets", "get", "A"],
  ["secrets", "list"],
  ["run", "w.yaml"],
  ["run", "w.yaml", "--json"],
  ["check", "w.yaml"],
  ["export", "w.yaml"],
  ["secrets", "delete", "B", "--force"],
];

/** @param {string} path */
function isLoose(path) {
  return (lstatSync(path).mode & 0o077) !== 0;
}

let looked = 0;
const loose = [];
let readable = 0;
let others = 0;
const setpriv = spawnSync("setpriv", ["--version"]).status === 0 && process.geteuid?.() === 0;

for (const backend of ["sqlite", "file"]) {
  for (const umask of ["000", "002", "022", "077"]) {
    await inFolder((folder) => {
      writeFileSync(join(folder, "w.yaml"), WORKFLOW);
      for (const args of COMMANDS) {
        const { status, stderr } = ak(folder, [...args, "--storage-backend", backend], {
          umask,
          input: "canary-value",
        });
        if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
        // The home folder itself is made by this test's umask only where the command makes it, so it counts.
        const made = everythingIn(folder).filter((path) => !path.endsWith("w.yaml") && path !== join(folder, "home"));
        looked += made.length;
        loose.push(
          ...made.filter(isLoose).map((path) => `umask ${umask}, ${args.join(" ")}: ${path.slice(folder.length)}`),
        );
      }
      if (!setpriv) return;
      chmodSync(folder, 0o755);
      for (const path of everythingIn(folder).filter((file) => lstatSync(file).isFile() && !file.endsWith("w.yaml"))) {
        others += 1;
        const { status } = spawnSync("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "cat", path]);
        if (status === 0) readable += 1;
      }
    });
  }
}

for (const line of loose) console.log(line);
const p10 = setpriv
  ? { pass: others > 0 && readable === 0, figure: `${others} files, ${readable} readable by uid 65534` }
  : { missing: "setpriv as root", figure: "not run" };
console.log(
  JSON.stringify([
    {
      id: "P1",
      pass: looked > 0 && loose.length === 0,
      figure: `${looked} looks at files and folders, ${loose.length} loose`,
    },
    { id: "P10", ...p10 },
  ]),
);

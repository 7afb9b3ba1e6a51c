import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { mustRun } from "../run.mjs";
import { repository } from "../workspace.mjs";

/** A checkout where nothing is installed, and a Python that only writes down what pip is asked. */
let checkout: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "server-installation-"));
  for (const file of ["run.mjs", "workspace.mjs", "servers"])
    cpSync(join(repository, "scripts", file), join(checkout, "scripts", file), { recursive: true });
  mkdirSync(join(checkout, "bin"));
  const pip = `#!/bin/sh\\necho "$@" >> ${checkout}/asked\\nexit "\${PIP_STATUS:-0}"\\n`;
  const python = `#!/bin/sh\nmkdir -p "$3/bin"\nprintf '${pip}' > "$3/bin/python"\nchmod +x "$3/bin/python"\n`;
  writeFileSync(join(checkout, "bin", "python3"), python, { mode: 0o755 });
});
afterEach(() => rmSync(checkout, { recursive: true }));

/** What is installed after this was done. */
function installedAfter(statement: string, env: NodeJS.ProcessEnv = {}): string[] {
  const module = JSON.stringify(join(checkout, "scripts", "servers", "installation.mjs"));
  const script = `import { availableServers, installServers } from ${module}; ${statement};
    console.log(availableServers().flatMap(({ name, installed }) => (installed ? [name] : [])).join())`;
  const output = mustRun(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: checkout,
    env: { ...process.env, PATH: `${join(checkout, "bin")}${delimiter}${process.env["PATH"]}`, ...env },
  });
  return output.trim().split(",").filter(Boolean);
}

function asked(): string[] {
  return readFileSync(join(checkout, "asked"), "utf8").trim().split("\n");
}

it("finds nothing where nothing is installed", () => {
  expect(installedAfter("")).toEqual([]);
});

it("installs what Python has, pinned by hashes, once", () => {
  expect(installedAfter("installServers()")).toEqual(["openbao", "moto"]);
  expect(installedAfter("installServers()")).toEqual(["openbao", "moto"]);
  expect(asked()).toEqual([expect.stringContaining("--require-hashes --only-binary :all: --requirement")]);
});

it("installs anew what is of another version", () => {
  installedAfter("installServers()");
  appendFileSync(join(checkout, "scripts", "servers", "requirements.txt"), "another==1\n");
  expect(installedAfter("")).toEqual([]);
  expect(installedAfter("installServers()")).toEqual(["openbao", "moto"]);
  expect(asked()).toHaveLength(2);
});

it("takes an installation that failed for none", () => {
  expect(() => installedAfter("installServers()", { PIP_STATUS: "1" })).toThrow(/pip .* ended with 1/);
  expect(installedAfter("")).toEqual([]);
});

it("has a hash for everything, and the versions that were asked for", () => {
  const [wanted, pinned] = ["requirements.in", "requirements.txt"].map((name) =>
    readFileSync(join(repository, "scripts", "servers", name), "utf8")
      .split(/\n(?! )/)
      .filter((entry) => /^[a-z]/.test(entry)),
  );
  expect(pinned?.filter((entry) => !/^[a-z0-9-]+==[^\n]*\\\n {4}--hash=sha256:[0-9a-f]{64}/.test(entry))).toEqual([]);
  for (const entry of wanted ?? []) expect(pinned?.some((line) => line.startsWith(entry))).toBe(true);
});

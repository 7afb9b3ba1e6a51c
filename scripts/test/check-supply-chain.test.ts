import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { checkInstallScripts, checkLockfile, checkSettings } from "../check-supply-chain.mjs";

const sha512 = `sha512-${"A".repeat(86)}==`;
const good = `  zod@4.6.7:\n    resolution: {integrity: ${sha512}}\n\n  '@types/node@20.19.43':\n    resolution: {integrity: ${sha512}}\n    engines: {node: '>=20'}\n\n`;
const lockfile = (entries: string) =>
  `lockfileVersion: '9.0'\n\npackages:\n\n${entries}snapshots:\n\n  zod@4.6.7: {}\n`;

it("counts the entries of a sound lockfile", () => {
  const figure = "2 lock entries, 2 with sha512, 0 without or from git or a URL";
  expect(checkLockfile(lockfile(good))).toEqual({ id: "N3", figure, pass: true });
});

it.each([
  ["nothing", ""],
  ["no integrity", `${good}  a@1.0.0:\n    resolution: {}\n\n`],
  ["no resolution", `${good}  a@1.0.0:\n    engines: {node: '>=20'}\n\n`],
  ["sha1", `${good}  a@1.0.0:\n    resolution: {integrity: sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=}\n\n`],
  ["a URL", `${good}  a@https://example.com/a.tgz:\n    resolution: {integrity: ${sha512}}\n\n`],
  ["a tarball", `${good}  a@1.0.0:\n    resolution: {integrity: ${sha512}, tarball: https://example.com/a.tgz}\n\n`],
  ["git", `${good}  a@git+https://example.com/a.git#0:\n    resolution: {commit: '0', repo: x, type: git}\n\n`],
])("is red for a lockfile with %s", (_, entries) => {
  expect(checkLockfile(lockfile(entries)).pass).toBe(false);
});

it("is red for a file that is no lockfile", () => {
  expect(checkLockfile("").pass).toBe(false);
});

const settings = `minimumReleaseAge: 10080
blockExoticSubdeps: true
strictDepBuilds: true
trustPolicy: no-downgrade
onlyBuiltDependencies:
  - "@scope/quoted"
  - better-sqlite3
  - esbuild
  - turbo
ignoredBuiltDependencies:
  - protobufjs
`;

it("finds all settings", () => {
  expect(checkSettings(settings)).toEqual({ id: "N2", figure: "5 of 5 settings", pass: true });
});

it.each([
  ["minimumReleaseAge", "minimumReleaseAge: 10080", "minimumReleaseAge: 1440"],
  ["blockExoticSubdeps", "blockExoticSubdeps: true", "blockExoticSubdeps: false"],
  ["strictDepBuilds", "strictDepBuilds: true", "# strictDepBuilds: true"],
  ["trustPolicy", "trustPolicy: no-downgrade\n", ""],
])("is red without %s", (name, line, instead) => {
  const { figure, pass } = checkSettings(settings.replace(line, instead));
  expect({ figure, pass }).toEqual({ figure: `4 of 5 settings, lacking: ${name}`, pass: false });
});

it.each<[string, Record<string, string>, boolean]>([
  ["an allowed script", { "better-sqlite3": '{"scripts":{"install":"x"}}', zod: "{}" }, true],
  ["an allowed script in a scope", { "@scope/quoted": '{"scripts":{"postinstall":"x"}}' }, true],
  [
    "more than three scripts",
    Object.fromEntries(
      ["@scope/quoted", "better-sqlite3", "esbuild", "turbo"].map((name) => [name, '{"scripts":{"install":"x"}}']),
    ),
    false,
  ],
  ["a script that is not run", { protobufjs: '{"scripts":{"postinstall":"x"}}' }, true],
  ["no package at all", {}, false],
  ["a script that is not allowed", { left: '{"scripts":{"postinstall":"x"}}' }, false],
  ["a script in a scope", { "@left/pad": '{"scripts":{"preinstall":"x"}}' }, false],
])("checks a store with %s", (_, packages, expected) => {
  const store = mkdtempSync(join(tmpdir(), "store-"));
  try {
    for (const [name, manifest] of Object.entries(packages)) {
      const file = join(store, name.replace("/", "+"), "node_modules", name, "package.json");
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, manifest);
    }
    expect(checkInstallScripts(store, settings).pass).toBe(expected);
  } finally {
    rmSync(store, { recursive: true });
  }
});

it("takes a binding.gyp for an install script", () => {
  const store = mkdtempSync(join(tmpdir(), "store-"));
  try {
    const folder = join(store, "a", "node_modules", "a");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), "{}");
    writeFileSync(join(folder, "binding.gyp"), "{}");
    expect(checkInstallScripts(store, settings).pass).toBe(false);
  } finally {
    rmSync(store, { recursive: true });
  }
});

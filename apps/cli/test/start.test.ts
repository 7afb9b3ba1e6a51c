import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { COMMANDS, commandsFor } from "../src/commands.ts";
import { cacheFolder } from "../src/compile-cache.ts";
import { CLI, createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;

/** Prints what was loaded: our files by name, and parts of Node that are large. */
const LISTER = `process.on("exit", () => {
  const files = Object.keys(require.cache).map((file) => file.split("/").at(-1));
  const builtins = process.moduleLoadList.flatMap((name) => /^NativeModule (child_process|fs\\/promises|http|perf_hooks|readline|tty|worker_threads|zlib)$/.exec(name)?.[1] ?? []);
  require("node:fs").writeFileSync(process.env.LISTED, JSON.stringify([...files, ...builtins]));
});`;

beforeAll(async () => {
  box = createSandbox();
  writeFileSync(join(box.folder, "lister.cjs"), LISTER);
  await box.ak(["secrets", "set", "A"], { input: "the value" });
});
afterAll(() => box.remove());

/** The files that a command loads, and which large parts of Node. */
async function loadedBy(args: readonly string[], input = ""): Promise<readonly string[]> {
  const listed = join(box.folder, "listed.json");
  const env = { NODE_OPTIONS: `--require=${join(box.folder, "lister.cjs")}`, LISTED: listed };
  const { code } = await box.ak(args, { input, env });
  expect(code).toBe(0);
  const loaded: readonly string[] = JSON.parse(readFileSync(listed, "utf8"));
  return loaded.filter((name) => name !== "lister.cjs");
}

const CODE = ["command-line.cjs", "main.cjs", "rolldown-runtime.cjs", "shared.cjs"];
/** With what is loaded before compiled code can be looked for. */
const START = [...CODE, "autokestra.cjs"];
const SQLITE = ["better_sqlite3.node", "package.json", "sqlite.cjs"];
/** What another import may not add to without a reason. */
const MAX_BYTES = 230_000;

describe("a command loads what it needs", () => {
  it.each<[string, string, readonly string[]]>([
    ["secrets get A", "", ["secrets-get.cjs"]],
    ["secrets list", "", ["secrets-list.cjs", "table.cjs"]],
    [
      "secrets set B",
      "another value",
      ["secrets-set.cjs", "sources.cjs", "value-parts.cjs", "value-shape.cjs", "perf_hooks"],
    ],
  ])("%s", async (line, input, own) => {
    const loaded = await loadedBy(line.split(" "), input);
    expect(loaded.toSorted()).toEqual([...START, ...SQLITE, ...own].toSorted());
    const libraries = inject("libraries");
    expect([...new Set(loaded.flatMap((name) => libraries[name] ?? []))].toSorted()).toEqual([
      "better-sqlite3",
      "fastest-levenshtein",
    ]);
    const scripts = loaded.filter((name) => name.endsWith(".cjs"));
    const bytes = scripts.reduce((sum, name) => sum + statSync(join(dirname(CLI), name)).size, 0);
    expect(bytes).toBeLessThan(MAX_BYTES);
  });

  it("and no lock for reading a file store", async () => {
    const store = ["--storage-backend", "file", "--storage-path", join(box.folder, "file-store"), "secrets"];
    const read = [...START, "secrets-get.cjs", "secrets-store-file.cjs"];
    expect(await loadedBy([...store, "set", "A"], "the value")).toContain("proper-lockfile.cjs");
    expect((await loadedBy([...store, "get", "A"])).toSorted()).toEqual(read.toSorted());
  });

  it("in the characters that V8 reads fastest", () => {
    const files = readdirSync(dirname(CLI)).filter((name) => name.endsWith(".cjs"));
    const others = files.filter((name) => readFileSync(join(dirname(CLI), name)).some((byte) => byte > 0x7f));
    expect(others).toEqual([]);
  });

  it("and nothing for the version", async () => {
    expect((await loadedBy(["--version"])).toSorted()).toEqual([...START, "program.cjs", "version.cjs"].toSorted());
  });

  it("and not what runs workflows for the help", async () => {
    expect(await loadedBy(["--help"])).not.toContain("workflows.cjs");
  });
});

describe("it ends", () => {
  const ENDS = `const { appendFileSync } = require("node:fs");
process.on("beforeExit", () => appendFileSync(process.env.LISTED, "by itself"));`;
  /** Something that is left when the command has done its work, and for a while at most. */
  const LEFT = `let turns = 0;
const timer = setInterval(() => {
  if (process.exitCode !== 0 && ++turns < 1000) return;
  clearInterval(timer);
  appendFileSync(process.env.LISTED, "after the timer, ");
}, 10);`;

  it.each<[string, string, string]>([
    ["at once where nothing is left to wait for", "", ""],
    ["by itself where something is", LEFT, "after the timer, by itself"],
  ])("%s", (name, left, expected) => {
    const [script, listed] = [join(box.folder, `${name}.cjs`), join(box.folder, name)];
    writeFileSync(script, ENDS + left);
    writeFileSync(listed, "");
    const env = { ...process.env, HOME: join(box.folder, "home"), LISTED: listed };
    const { status } = spawnSync(process.execPath, ["--require", script, CLI, "secrets", "get", "A"], {
      cwd: box.folder,
      env,
      stdio: "ignore",
    });
    expect([status, readFileSync(listed, "utf8")]).toEqual([0, expected]);
  });
});

describe("compiled code that was kept is run", () => {
  const keeper = createSandbox();
  const caches = join(keeper.folder, "home", ".cache", "autokestra");
  const kept = () => readdirSync(caches).sort();
  const stateOf = (name: string) => lstatSync(join(caches, name)).ino;
  beforeAll(async () => {
    mkdirSync(join(keeper.folder, "home"), { mode: 0o700 });
    expect((await keeper.start(["--version"]).ended).code).toBe(0);
  });
  afterAll(() => keeper.remove());

  it("of every file, for us alone", () => {
    const suffix = `.${process.version}-${process.arch}${encodeURIComponent(dirname(CLI)).slice(-100)}`;
    const files = [...CODE, "program.cjs", "version.cjs"].sort();
    expect(kept()).toEqual(files.map((name) => name + suffix));
    for (const name of kept()) expect(lstatSync(join(caches, name)).mode & 0o777).toBe(0o600);
  });

  it("and keeps it again only where it does not fit", async () => {
    const [other = "", older = "", cut = "", ...rest] = kept();
    const states = rest.map(stateOf);
    writeFileSync(join(caches, other), readFileSync(join(caches, cut)));
    const bytes = readFileSync(join(caches, older));
    bytes.write("?", "latin1");
    writeFileSync(join(caches, older), bytes);
    writeFileSync(join(caches, cut), "");
    const before = [other, older, cut].map(stateOf);
    const { code, stdout, stderr } = await keeper.start(["--version"]).ended;
    expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/), ""]);
    expect(rest.map(stateOf)).toEqual(states);
    for (const [index, name] of [other, older, cut].entries()) expect(stateOf(name)).not.toBe(before[index]);
  });

  it("and works where it cannot be kept", async () => {
    for (const name of kept()) {
      unlinkSync(join(caches, name));
      mkdirSync(join(caches, name));
    }
    expect(await keeper.start(["--version"]).ended).toMatchObject({ code: 0, stderr: "" });
    rmSync(caches, { recursive: true });
    expect((await keeper.start(["--version"]).ended).code).toBe(0);
  });
});

describe("argv picks the command", () => {
  it.each<[string, string | null]>([
    ["secrets get A", "secrets get"],
    ["secret cat A", "secrets get"],
    ["--json --storage-path x -q secrets --key-file=k --no-color ls --tag get", "secrets list"],
    ["run --input secrets=get w.yaml", "run"],
    ["lint w.yaml", "check"],
    ["--storage-path secrets get", null],
    ["get A", null],
    ["secrets", null],
    ["secrets secrets get", null],
    ["secrets --tag get A", null],
    ["--bogus secrets get A", null],
    ["-- secrets get A", null],
    ["help secrets get", null],
    ["secrets help get", null],
    ["--help secrets get", null],
    ["--json=x secrets get", null],
    ["-qV secrets get", null],
    ["", null],
  ])("%s", (line, path) => {
    const picked = commandsFor(line.split(" ").filter(Boolean));
    expect(picked === COMMANDS ? null : picked.map((command) => command.path).join()).toBe(path);
  });
});

describe("compiled code is kept", () => {
  const home = (name: string) => {
    const folder = join(box.folder, name);
    mkdirSync(folder);
    return folder;
  };

  it("in a folder that is ours alone", () => {
    const folder = cacheFolder(home("a"));
    expect(folder).toBe(join(box.folder, "a", ".cache", "autokestra"));
    expect(lstatSync(folder ?? "").mode & 0o777).toBe(0o700);
    expect(cacheFolder(join(box.folder, "a"))).toBe(folder);
  });

  it.each<[string, (caches: string) => void]>([
    ["others can write to ~/.cache", (caches) => chmodSync(caches, 0o777)],
    ["others can enter the folder", (caches) => chmodSync(join(caches, "autokestra"), 0o750)],
    ["~/.cache is a link", (caches) => symlinkSync(box.folder, caches)],
    ["~/.cache is a file", (caches) => writeFileSync(caches, "")],
    ["others can write to the home", (caches) => chmodSync(dirname(caches), 0o775)],
  ])("not where %s", (what, change) => {
    const caches = join(home(what.replaceAll("/", "-")), ".cache");
    if (!what.startsWith("~/.cache is")) mkdirSync(join(caches, "autokestra"), { recursive: true, mode: 0o700 });
    change(caches);
    expect(cacheFolder(dirname(caches))).toBeNull();
  });

  it.each(["", "relative", "/nonexistent/home"])("not for the home %j", (path) => {
    expect(cacheFolder(path)).toBeNull();
    expect(existsSync(join(path, ".cache"))).toBe(false);
  });
});

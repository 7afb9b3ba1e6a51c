import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fastFolder, type Outside, runInside } from "../outside.mjs";
import { mustRun } from "../run.mjs";

/** A machine of its own: nothing here touches the real one. */
let machine: string;
let outside: Outside;

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), "outside-"));
  for (const folder of ["dev", "home/.autokestra", "tmp", "work"])
    mkdirSync(join(machine, folder), { recursive: true });
  for (const file of ["dev/null", "home/.profile", "home/.autokestra/secret.key", "work/committed"]) {
    writeFileSync(join(machine, file), "", { mode: 0o600 });
  }
  chmodSync(join(machine, "dev/null"), 0o666);
  chmodSync(join(machine, "tmp"), 0o755);
  git("init", "--quiet");
  git("add", "committed");
  git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "a");
  outside = {
    places: [join(machine, "dev/null"), join(machine, "dev/tty"), join(machine, "tmp")],
    folders: [
      { folder: join(machine, "home"), names: /^/ },
      { folder: join(machine, "tmp"), names: /^autokestra/ },
    ],
    trees: [join(machine, "home/.autokestra")],
    worktree: join(machine, "work"),
  };
});

afterEach(() => rmSync(machine, { recursive: true }));

function git(...args: string[]): void {
  // Not the environment of whoever runs the tests: a hook of git says GIT_DIR.
  mustRun("git", args, { cwd: join(machine, "work"), env: { PATH: process.env["PATH"], HOME: machine } });
}

/** What is found when tests do this, without the path of the machine. */
async function problemsOf(work: (place: (path: string) => string, env: NodeJS.ProcessEnv) => void): Promise<string[]> {
  const { problems } = await runInside((env) => work((path) => join(machine, path), env), outside);
  return problems.map((problem) => problem.replaceAll(`${machine}/`, ""));
}

describe("T1: runInside", () => {
  it("works in a folder in memory where there is one with room, else in that of the system", async () => {
    expect(fastFolder(machine, 1)).toBe(machine);
    for (const folder of [fastFolder(machine, Infinity), fastFolder(join(machine, "none"))]) {
      expect(folder).toBe(tmpdir());
    }
    const { result } = await runInside((env) => env["TMPDIR"], outside, machine);
    expect(dirname(dirname(String(result)))).toBe(machine);
  });

  it("gives back what the tests give back, and finds nothing where nothing has changed", async () => {
    expect(await runInside(() => "the result", outside)).toEqual({ result: "the result", problems: [] });
  });

  it.each<[string, (place: (path: string) => string) => void, string]>([
    ["a device that lost its mode", (at) => chmodSync(at("dev/null"), 0o644), "dev/null: mode was 666, is 644"],
    [
      "a device whose mode was changed through a link",
      (at) => {
        symlinkSync(at("dev/null"), at("tmp/link"));
        chmodSync(at("tmp/link"), 0o644);
      },
      "dev/null: mode was 666, is 644",
    ],
    ["a device that is gone", (at) => rmSync(at("dev/null")), "dev/null: type was file, is nothing"],
    ["a device that appeared", (at) => writeFileSync(at("dev/tty"), ""), "dev/tty: type was nothing, is file"],
    [
      "a device that became a link",
      (at) => {
        renameSync(at("dev/null"), at("dev/zero"));
        symlinkSync("zero", at("dev/null"));
      },
      "dev/null: type was file, is link",
    ],
    ["a temporary folder that lost its mode", (at) => chmodSync(at("tmp"), 0o700), "tmp: mode was 755, is 700"],
    ["a new file in HOME", (at) => writeFileSync(at("home/.new"), ""), "home/.new: type was nothing, is file"],
    ["a file of HOME that is gone", (at) => rmSync(at("home/.profile")), "home/.profile: type was file, is nothing"],
    [
      "the mode of a file in HOME",
      (at) => chmodSync(at("home/.profile"), 0o644),
      "home/.profile: mode was 600, is 644",
    ],
    [
      "a new file below ~/.autokestra",
      (at) => writeFileSync(at("home/.autokestra/other.key"), ""),
      "home/.autokestra/other.key: type was nothing, is file",
    ],
    [
      "a folder in the temporary folder of the machine",
      (at) => mkdirSync(at("tmp/autokestra-a")),
      "tmp/autokestra-a: type was nothing, is folder",
    ],
    [
      "a new file in the work tree",
      (at) => writeFileSync(at("work/new"), ""),
      "work tree: new: git status was nothing, is ??",
    ],
    [
      "a changed file in the work tree",
      (at) => appendFileSync(at("work/committed"), "x"),
      "work tree: committed: git status was nothing, is M",
    ],
  ])("names %s", async (_, change, expected) => {
    expect(await problemsOf(change)).toEqual([expected]);
  });

  it("names the size and the time of a key that was written", async () => {
    const [problem, ...others] = await problemsOf((at) => {
      writeFileSync(at("home/.autokestra/secret.key"), "x");
      utimesSync(at("home/.autokestra/secret.key"), 1, 1);
    });
    expect(problem).toMatch(
      /^home\/\.autokestra\/secret\.key: size was 0, is 1; time of change was .*Z, is 1970-01-01T00:00:01\.000Z$/,
    );
    expect(others).toEqual([]);
  });

  it("names all that has changed", async () => {
    const problems = await problemsOf((at) => {
      chmodSync(at("dev/null"), 0o600);
      writeFileSync(at("home/.new"), "");
      writeFileSync(at("work/new"), "");
    });
    expect(problems).toHaveLength(3);
  });

  it("lets be what others write: the content of a file in HOME, any other name in the temporary folder", async () => {
    const problems = await problemsOf((at) => {
      appendFileSync(at("home/.profile"), "x");
      mkdirSync(at("tmp/other"));
    });
    expect(problems).toEqual([]);
  });

  it("watches no work tree where there is none", async () => {
    rmSync(join(machine, "work/.git"), { recursive: true });
    expect(await problemsOf((at) => writeFileSync(at("work/new"), ""))).toEqual([]);
  });

  it("gives the tests a home and a temporary folder, which they must leave empty and which are removed", async () => {
    let folders: string[] = [];
    const problems = await problemsOf((_, env) => {
      folders = [String(env["HOME"]), String(env["TMPDIR"])];
      expect([env["USERPROFILE"], env["TMP"], env["TEMP"]]).toEqual([env["HOME"], env["TMPDIR"], env["TMPDIR"]]);
      expect(folders.map((folder) => (lstatSync(folder).mode & 0o7777).toString(8))).toEqual(["700", "1777"]);
      mkdirSync(join(String(env["HOME"]), ".autokestra"));
      mkdirSync(join(String(env["TMPDIR"]), "autokestra-a"));
      writeFileSync(join(String(env["TMPDIR"]), "autokestra-a", "secrets.db"), "");
    });
    expect(problems).toEqual(["left in HOME: .autokestra", "left in TMPDIR: autokestra-a (with secrets.db)"]);
    for (const folder of folders) expect(lstatSync(folder, { throwIfNoEntry: false })).toBe(undefined);
  });

  it("hides the settings and keys of whoever runs the tests", async () => {
    for (const name of ["AUTOKESTRA_SECRET_KEY", "WORKFLOW_SECRETS_STORAGE_PATH", "XDG_CONFIG_HOME"])
      vi.stubEnv(name, "x");
    const { result: names } = await runInside((env) => Object.keys(env), outside);
    vi.unstubAllEnvs();
    expect(names.filter((name) => /AUTOKESTRA|WORKFLOW|XDG/.test(name))).toEqual([]);
    expect(names).toContain("PATH");
  });

  it("removes the private folders where running the tests throws", async () => {
    let home = "";
    const attempt = async () =>
      await runInside((env) => {
        home = String(env["HOME"]);
        throw new Error("no vitest");
      }, outside);
    await expect(attempt).rejects.toThrow("no vitest");
    expect(lstatSync(home, { throwIfNoEntry: false })).toBe(undefined);
  });
});

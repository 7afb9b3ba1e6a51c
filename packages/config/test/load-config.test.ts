import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findConfig, loadConfig } from "../src/index.ts";

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "config-")));
  mkdirSync(join(root, "project", ".git"), { recursive: true });
  mkdirSync(join(root, "project", "inner"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** As if the process had been started in a folder. */
async function within<T>(folder: string, work: (env: NodeJS.ProcessEnv) => T | Promise<T>): Promise<T> {
  vi.spyOn(process, "cwd").mockReturnValue(join(root, folder));
  return await work({ HOME: join(root, "home") });
}

function write(path: string, text: string, mode = 0o644): string {
  const full = join(root, path);
  writeFileSync(full, text);
  chmodSync(full, mode);
  return full;
}

describe("the configuration of a project", () => {
  it.each(["autokestra.config.yaml", "autokestra.config.yml", "autokestra.config.json"])(
    "is found above: %s",
    async (name) => {
      const path = write(`project/${name}`, '{ "maxVersions": 4 }');
      await within("project/inner", async (env) => {
        expect(findConfig({ env })).toBe(path);
        expect((await loadConfig({ env }))?.maxVersions).toBe(4);
      });
    },
  );

  it("is not there where there is none, and not searched above the repository", async () => {
    write("autokestra.config.yaml", "maxVersions: 4");
    await within("project/inner", async (env) => expect(await loadConfig({ env })).toBeNull());
  });

  it("is the file that is named: the option before the variable, both before the one of the project", async () => {
    write("project/autokestra.config.yaml", "maxVersions: 1");
    const named = write("named.yaml", "maxVersions: 2");
    const other = write("other.yaml", "maxVersions: 3");
    await within("project", async (env) => {
      const versions = async (variable: string | undefined, path?: string) =>
        (await loadConfig({ env: { ...env, AUTOKESTRA_CONFIG: variable }, path }))?.maxVersions;
      expect(await versions(undefined)).toBe(1);
      expect(await versions("")).toBe(1);
      expect(await versions(named)).toBe(2);
      expect(await versions(named, other)).toBe(3);
    });
  });

  it("is followed where it is a link, as mounted ones are", async () => {
    write("real.yaml", "maxVersions: 5");
    symlinkSync(join(root, "real.yaml"), join(root, "project", "autokestra.config.yaml"));
    await within("project", async (env) => expect((await loadConfig({ env }))?.maxVersions).toBe(5));
  });

  it.each([
    ["that others can write", () => write("project/autokestra.config.yaml", "", 0o666), "can be written by others"],
    ["that the group can write", () => write("project/autokestra.config.yaml", "", 0o664), "can be written by others"],
    ["that is a folder", () => mkdirSync(join(root, "project", "autokestra.config.yaml")), "is not a regular file"],
    [
      "that is not text",
      () => writeFileSync(join(root, "project", "autokestra.config.yaml"), Buffer.of(0xff)),
      "is not UTF-8 text",
    ],
    [
      "beside another one",
      () => [write("project/autokestra.config.yaml", ""), write("project/autokestra.config.json", "{}")],
      "is not the only configuration",
    ],
  ])("is refused: one %s", async (_, make, problem) => {
    make();
    await within("project", async (env) => {
      await expect(loadConfig({ env })).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(problem),
      });
    });
  });

  it("is refused in a folder in which everybody can replace it", async () => {
    const path = write("project/inner/autokestra.config.yaml", "");
    chmodSync(join(root, "project", "inner"), 0o777);
    await expect(loadConfig({ path })).rejects.toThrow("lies in a folder that everybody can write to");
  });

  it("is an error where it is named and not there", async () => {
    await expect(loadConfig({ path: join(root, "none.yaml") })).rejects.toMatchObject({ code: "CONFIG_NOT_FOUND" });
  });

  it("is refused unread where it is larger than 1 MiB", async () => {
    const path = write("large.yaml", `# ${"x".repeat(1024 * 1024)}`);
    await expect(loadConfig({ path })).rejects.toThrow("The file is larger than 1 MiB");
  });
});

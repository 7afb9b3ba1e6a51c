import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installAlone } from "../packages/install-tarballs.mjs";

/** The install of all packages, as npm describes it. */
const PACKAGES = {
  "node_modules/made-up": {
    dependencies: { needed: "2" },
    optionalDependencies: { extra: "1", "for-another-platform": "1" },
    peerDependencies: { peer: "1", "peer-that-may-be-missing": "1" },
    peerDependenciesMeta: { "peer-that-may-be-missing": { optional: true } },
  },
  "node_modules/@made/up-sqlite": { dependencies: { "made-up": "1" } },
  "node_modules/made-up/node_modules/needed": { dependencies: { deep: "1", "made-up": "1" } },
  "node_modules/needed": {},
  "node_modules/deep": {},
  "node_modules/extra": {},
  "node_modules/peer": {},
  "node_modules/stranger": {},
};

describe("installAlone", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "install-"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  /** The packages beside one that is installed alone. */
  function install(name: string, packages: object = PACKAGES): string[] {
    const [consumer, alone] = [join(root, "consumer"), join(root, "alone")];
    for (const path of Object.keys(PACKAGES)) {
      const file = join(consumer, path, "dist", "index.js");
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${path}\n`);
    }
    writeFileSync(join(consumer, "package-lock.json"), JSON.stringify({ packages }));
    installAlone(alone, name, consumer);
    const found = Object.keys(PACKAGES).filter((path) => existsSync(join(alone, path)));
    for (const path of found) expect(readFileSync(join(alone, path, "dist", "index.js"), "utf8")).toBe(`${path}\n`);
    return found.map((path) => path.replace("node_modules/", ""));
  }

  it("takes what a package needs, in the version that it gets, and nothing else", () => {
    expect(install("made-up")).toEqual(["made-up", "made-up/node_modules/needed", "deep", "peer"]);
  });

  it("takes what is optional where the package is about SQLite", () => {
    const needed = ["made-up", "@made/up-sqlite", "made-up/node_modules/needed", "deep", "extra", "peer"];
    expect(install("@made/up-sqlite")).toEqual(needed);
  });

  it("says what a package needs and npm has not installed", () => {
    const { "node_modules/deep": _, ...packages } = PACKAGES;
    expect(() => install("made-up", packages)).toThrow(
      "node_modules/made-up/node_modules/needed needs deep, which npm has not installed",
    );
  });
});

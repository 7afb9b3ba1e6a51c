// `npm run set-repository -- OWNER/NAME`: says in every file where this repository lives. Needed once, and again where it moves.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./run.mjs";
import { readJson, repository } from "./workspace.mjs";

const [, now = ""] =
  /^git\+https:\/\/github\.com\/(.*)\.git$/.exec(readJson(join(repository, "package.json")).repository.url) ?? [];
const next = process.argv[2] ?? "";

if (!/^[\w-]+\/[\w.-]+$/.test(next)) {
  console.error("usage: npm run set-repository -- OWNER/NAME");
  process.exitCode = 2;
} else {
  const files = mustRun("git", ["grep", "-lzF", now]).split("\0").filter(Boolean);
  for (const file of files.map((name) => join(repository, name))) {
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(now, next));
  }
  console.log(`${now} is ${next} in ${files.length} files`);
}

import { createPrivateFile, makePrivateFolder, sweepTemporaryFiles } from "../src/index.ts";

/** Creates a/b/file in this folder, by a relative path, and prints whether it was the first. */
const [folder = "", content = ""] = process.argv.slice(2);
process.chdir(folder);
makePrivateFolder("a/b");
const created = createPrivateFile("a/b/file", content);
sweepTemporaryFiles("a/b/file");
console.log(created);

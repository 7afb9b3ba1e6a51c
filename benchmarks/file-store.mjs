// Measures the file store as it grows, against replacing the same bytes. Run `pnpm build` first. README.md explains it.
import { cpus } from "node:os";
import { measureFileStore } from "./file-store/measure-file-store.mjs";
import { printTable } from "./print-table.mjs";

console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
printTable("One operation of the file store: ms, and the ratio of set to raw", await measureFileStore());

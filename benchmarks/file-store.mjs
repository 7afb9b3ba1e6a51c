// What the file store costs as it grows, against a raw replacement of the same bytes. After `pnpm build`; README.md explains.
import { cpus } from "node:os";
import { measureFileStore } from "./file-store/measure-file-store.mjs";
import { printTable } from "./print-table.mjs";

console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
printTable("One operation of the file store: ms, and the ratio of set to raw", await measureFileStore());

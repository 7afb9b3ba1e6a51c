// What sealing, opening and rotating cost, against node:crypto doing the same work. After `pnpm build`; README.md explains.
import { cpus } from "node:os";
import { measureRotation } from "./crypto/measure-rotation.mjs";
import { measureEncryption } from "./crypto/measure-sealing.mjs";
import { printTable } from "./print-table.mjs";

console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`);
printTable(
  "Seal and open one record: µs CPU, and ratios of the time of raw node:crypto to ours",
  await measureEncryption(),
);
printTable("Rotate the master key of an SQLite store: ms CPU", await measureRotation());

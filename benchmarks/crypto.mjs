// Measures encrypting, decrypting and rotating against node:crypto. Run `pnpm build` first. README.md explains the figures.
import { cpus } from "node:os";
import { measureEncryption } from "./crypto/measure-encryption.mjs";
import { measureRotation } from "./crypto/measure-rotation.mjs";
import { printTable } from "./print-table.mjs";

console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`);
printTable(
  "Encrypt and decrypt one record: µs CPU, and ratios of the time of raw node:crypto to ours",
  await measureEncryption(),
);
printTable("Rotate the master key of a SQLite store: ms CPU", await measureRotation());

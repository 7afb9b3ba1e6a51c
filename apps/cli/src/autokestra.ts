#!/usr/bin/env node
import { keepCompiledCode } from "./compile-cache.ts";

async function start(): Promise<void> {
  keepCompiledCode();
  // Set to failure first, because a process with nothing left to wait for ends in the middle of its work.
  process.exitCode = 1;
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
  // Immediately if nothing is left to wait for: by itself, Node first frees its memory, which takes longer than `get`.
  if (process.getActiveResourcesInfo().length === 0) process.exit();
}

void start();

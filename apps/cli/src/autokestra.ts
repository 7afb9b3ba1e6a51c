#!/usr/bin/env node
import { keepCompiledCode } from "./compile-cache.ts";

async function start(): Promise<void> {
  keepCompiledCode();
  // Until it is known: a process that has nothing left to wait for ends in the middle of the work.
  process.exitCode = 1;
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
}

void start();

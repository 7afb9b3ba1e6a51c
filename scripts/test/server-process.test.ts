import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startProcess } from "../servers/process.mjs";

/** What the servers of a test leave here is seen; TMPDIR leads here. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "server-process-"));
  vi.stubEnv("TMPDIR", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const node = process.execPath;
/** Answers with its environment, and prints its process id. */
const ANSWERING = `console.log(process.pid);
  require("http").createServer((_, answer) => answer.end(JSON.stringify(process.env))).listen(process.argv[1], "127.0.0.1")`;
const DEAF = `process.on("SIGTERM", () => console.log("no"));${ANSWERING}`;

/** @param lines What it prints comes by another way than its answer: it is ready once it has printed so many lines. */
function serve(port: number, script = ANSWERING, lines = 1) {
  return {
    commands: [[node, "-e", script, String(port)]] as const,
    stopSignal: "SIGTERM" as const,
    isReady: async (printed: string) =>
      printed.split("\n").length > lines && (await fetch(`http://127.0.0.1:${port}`)).ok,
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it("gives a server a home of its own, and leaves neither when it is closed", async () => {
  vi.stubEnv("BAO_ADDR", "https://of-the-person.example");
  const { port, output, close } = await startProcess("A server", (_, free) => ({
    ...serve(free),
    env: { TOKEN: "t" },
  }));
  const environment = await (await fetch(`http://127.0.0.1:${port}`)).json();
  const [home = ""] = readdirSync(folder);
  expect(environment).toMatchObject({ HOME: join(folder, home), TMPDIR: join(folder, home), TOKEN: "t" });
  expect(environment).not.toHaveProperty("BAO_ADDR");
  await close();
  await close();
  expect(isRunning(Number(output()))).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ["ends", [[node, "-e", "console.log('no such option'); process.exit(3)"]], "no such option"],
  ["cannot be started", [["/no/such/program"]], "spawn /no/such/program ENOENT"],
  [
    "has a preparation that fails",
    [
      ["sh", "-c", "echo not prepared; exit 1"],
      ["echo", "started"],
    ],
    "not prepared",
  ],
] as const)("says what was printed where a server %s", async (_, commands, printed) => {
  const starting = startProcess("A server", (__, port) => ({ ...serve(port), commands }));
  await expect(starting).rejects.toThrow(new Error(`A server did not start\n${printed}`));
  expect(readdirSync(folder)).toEqual([]);
});

it("leaves nothing where there is nothing to start", async () => {
  const starting = startProcess("A server", () => {
    throw new Error("no account");
  });
  await expect(starting).rejects.toThrow("no account");
  expect(readdirSync(folder)).toEqual([]);
});

it("takes another port where somebody was faster", async () => {
  const ports: number[] = [];
  const { port, close } = await startProcess("A server", (_, free) => {
    ports.push(free);
    return serve(free, ports.length > 1 ? ANSWERING : "console.log('bind: Address already in use'); process.exit(1)");
  });
  await close();
  expect(ports).toEqual([expect.any(Number), port]);
});

it("kills a server that does not stop", { tags: ["faults"] }, async () => {
  const { output, close } = await startProcess("A server", (_, port) => serve(port, DEAF));
  await close();
  expect(output()).toContain("no");
  expect(isRunning(Number.parseInt(output(), 10))).toBe(false);
});

it.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)("ends a server with its starter, at %s", async (signal) => {
  const place = join(folder, "starter.mjs");
  const pids = join(folder, "pids");
  const module = JSON.stringify(fileURLToPath(new URL("../servers/process.mjs", import.meta.url)));
  writeFileSync(
    place,
    `import { writeFileSync } from "node:fs";
     const { startProcess } = await import(${module});
     const { output } = await startProcess("A server", (_, port) => ({
       commands: [[process.execPath, "-e", ${JSON.stringify(ANSWERING)}, String(port)]],
       stopSignal: "SIGTERM",
       isReady: async (printed) => printed !== "" && (await fetch("http://127.0.0.1:" + port)).ok,
     }));
     writeFileSync(${JSON.stringify(pids)}, output());`,
  );
  const starter = spawn(node, [place], { stdio: "ignore" });
  await expect.poll(() => existsSync(pids) && readFileSync(pids, "utf8")).toMatch(/^\d+\n$/);
  starter.kill(signal);
  const server = Number(readFileSync(pids, "utf8"));
  await expect.poll(() => isRunning(server)).toBe(false);
  await expect.poll(() => readdirSync(folder).toSorted()).toEqual(["pids", "starter.mjs"]);
});

it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("stops the server where its supervisor gets %s", async (signal) => {
  const { output, close } = await startProcess("A server", (_, port) =>
    serve(port, `console.log(process.ppid);${ANSWERING}`, 2),
  );
  const [supervisor = 0, server = 0] = output().trim().split("\n").map(Number);
  process.kill(supervisor, signal);
  await expect.poll(() => isRunning(server)).toBe(false);
  await close();
  expect(readdirSync(folder)).toEqual([]);
});

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, describe, expect, it } from "vitest";
import { type CommandProviderOptions, createCommandProvider } from "../src/command.ts";
import { createProviderSource } from "../src/index.ts";
import { secretProviderContract } from "../src/testing/index.ts";
import { soon } from "./soon.ts";

const folder = temporaryFolder(afterAll);

/** A shell runs the script; `{name}` is its first argument. */
function provider(script: string, options: Partial<CommandProviderOptions> = {}) {
  return createCommandProvider({ command: ["sh", "-c", script, "sh", "{name}"], ...options });
}

async function run(
  script: string,
  options: Partial<CommandProviderOptions> = {},
  request: { path?: string; format?: "text" } = {},
  limits = soon(),
) {
  return await provider(script, options).lookup({ path: "db", format: "json", ...request }, limits);
}

describe("the contract", () => {
  const script = '[ "$1" = db ] || exit 4; echo value';
  const open = () => provider(script, { exitCodes: { 4: "notFound" } });
  secretProviderContract({ it, expect, open, stored: { path: "db", value: "value" }, missing: "none" });
});

describe("createCommandProvider", () => {
  it("gives what is printed, without one newline", async () => {
    expect(await run("printf 'a\\n\\n'")).toEqual({ status: "found", secret: { value: "a\n" } });
    expect(await run("printf 'a\\n'", {}, { format: "text" })).toEqual({
      status: "found",
      secret: { value: "a\n" },
    });
  });

  it("hands on the path as it is, and no shell reads it", async () => {
    const path = "a b;$(touch x)`'\"$&{name}";
    expect(await run("", { command: ["printf", "%s", "{name}"] }, { path })).toMatchObject({ secret: { value: path } });
  });

  it("hands on PATH and the variables that are named, and nothing else", async () => {
    const env = { PATH: process.env["PATH"], HOME: "/h", VAULT_TOKEN: "canary", NODE_OPTIONS: "" };
    // A shell would have variables of its own.
    const command = [process.execPath, "-p", "Object.keys(process.env).sort().join()", "--", "{name}"];
    const answer = await run("", { command, env, variables: ["HOME", "NONE"] });
    expect(answer).toMatchObject({ secret: { value: "HOME,PATH" } });
  });

  it.each<[string, string, Partial<CommandProviderOptions>, { path?: string }, string, string]>([
    ["an exit code", "echo canary; echo canary >&2; exit 3", {}, {}, "malformed", "ended with code 3"],
    ["an exit code that is known", "exit 3", { exitCodes: { 3: "denied" } }, {}, "denied", "ended with code 3"],
    ["a signal", "kill -s TERM $$", {}, {}, "unavailable", "was ended by a signal"],
    ["too much output", "yes canary", {}, {}, "malformed", "has printed more than 4 MiB"],
    ["bytes that are no text", "printf '\\377'", {}, {}, "malformed", "has printed what is not UTF-8 text"],
    ["a path that is an option", "", {}, { path: "-rf" }, "malformed", "begins with a hyphen"],
    ["a null character", "", {}, { path: "a\0b" }, "malformed", "null character"],
    [
      "a program that is not there",
      "",
      { command: ["no-such-program", "{name}"] },
      {},
      "unavailable",
      "cannot be started (ENOENT)",
    ],
    [
      "a program that may not be run",
      "",
      { command: ["/etc/passwd", "{name}"] },
      {},
      "denied",
      "cannot be started (EACCES)",
    ],
  ])("answers %s", async (_what, script, options, request, status, reason) => {
    const answer = await run(script, options, request);
    expect(answer).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(JSON.stringify(answer)).not.toContain("canary");
  });

  it("does not wait for a program that hangs, nor for what it has started", async () => {
    const file = join(folder, "pid");
    // The caller stops waiting once both run.
    const controller = new AbortController();
    const limits = { signal: controller.signal, deadline: Date.now() + 100_000 };
    const command = ["sh", "-c", 'sleep 1000 & echo $! > "$1.new"; mv "$1.new" "$1"; wait', "{name}", file];
    const looking = run("", { command }, {}, limits);
    await expect.poll(() => existsSync(file)).toBe(true);
    controller.abort();
    const answer = await looking;
    expect(answer).toMatchObject({ status: "unavailable", timedOut: true });
    const pid = Number(readFileSync(file, "utf8"));
    await expect
      .poll(() => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "))
      .toBe(false);
  });

  it("has 10 s, unless the source says otherwise", async () => {
    expect(provider("").timeoutSeconds).toBe(10);
    const source = createProviderSource(provider("exec sleep 1000"), {
      path: "{name}",
      timeoutSeconds: 0.2,
    });
    expect(await source.lookup("DB" as never)).toMatchObject({ status: "unavailable", timedOut: true });
  });

  it.each([[[]], [["{name}"]], [["pass"]], [["pass", "show"]]])("refuses the command %j", (command) => {
    expect(() => createCommandProvider({ command })).toThrow(
      "The command of a provider needs a program, and {name} in an argument",
    );
  });
});

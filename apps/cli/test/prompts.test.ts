import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inTerminal } from "./in-terminal.ts";
import { createSandbox, type Sandbox } from "./run-cli.ts";

const PEM = `-----BEGIN PRIVATE KEY-----\n${`${"A".repeat(63)}/\n`.repeat(28)}-----END PRIVATE KEY-----`;
const TYPED = PEM.replaceAll("\n", "\r");
const QUESTION = "30 lines, 1 873 characters were pasted. Take them as one value? (y/n): ";

let box: Sandbox;

beforeEach(() => {
  box = createSandbox();
});

afterEach(() => box.remove());

async function stored(name: string): Promise<string> {
  return (await box.ak(["secrets", "get", name, "--quiet"])).stdout;
}

describe("prompts", () => {
  it.each<[string, string, string]>([
    ["marks pastes", `\u001b[200~${TYPED}\u001b[201~`, "xterm"],
    ["does not", TYPED, "xterm"],
    ["does not, with a line break at the end", `${TYPED}\r`, "xterm"],
    ["is dumb", PEM, "dumb"],
  ])("K8: a paste of 30 lines is taken whole once it is confirmed, where the terminal %s", async (_, sent, term) => {
    const steps = [{ wait: "Value of 'KEY' (not shown): " }, { send: sent }, { wait: QUESTION }];
    const refused = await inTerminal(box, ["secrets", "set", "KEY"], [...steps, { send: "n\r" }], { term });
    expect(refused).toMatchObject({ code: 5, restored: true });
    expect(refused.output).toContain("error: Several lines were pasted and not confirmed; nothing was stored");
    expect((await box.ak(["secrets", "list"])).stdout).toBe("");
    const taken = await inTerminal(box, ["secrets", "set", "KEY"], [...steps, { send: "y\r" }], { term });
    expect(taken).toMatchObject({ code: 0, restored: true });
    expect(taken.output).toContain("Secret 'KEY' stored (apiKey, version 1): 30 lines, 1 873 characters");
    expect(taken.output).not.toContain("AAAA");
    expect(await stored("KEY")).toBe(PEM);
  });

  it("K8: name the secret and the field, and show user names only", async () => {
    const steps = [
      { wait: "User name of 'DB': " },
      { send: "ada漢字" },
      { send: "\u007f\r" },
      { wait: "Password of 'DB' (not shown): " },
      { send: "hunter2\tp" },
      { pause: 0.1 },
      { send: "äss\r" },
    ];
    const { output, ...end } = await inTerminal(box, ["secrets", "set", "DB", "--type", "basicAuth"], steps);
    expect(end).toEqual({ code: 0, restored: true });
    expect(output).toContain("User name of 'DB': ada漢\r\n");
    expect(output).not.toMatch(/hunter2|äss/);
    expect(JSON.parse(await stored("DB"))).toEqual({ username: "ada漢", password: "hunter2\tpäss" });
  });

  it("K8: put characters together that come in parts", async () => {
    const [first = "", rest = ""] = [Buffer.from("ä").subarray(0, 1), Buffer.from("ä").subarray(1)].map((half) =>
      half.toString("latin1"),
    );
    const steps = [
      { wait: "shown): " },
      { send: `a${first}`, bytes: true },
      { pause: 0.1 },
      { send: `${rest}b\r`, bytes: true },
    ];
    expect(await inTerminal(box, ["secrets", "set", "A"], steps)).toMatchObject({ code: 0 });
    expect(await stored("A")).toBe("aäb");
  });

  it.each<[string, { send: string } | { signal: NodeJS.Signals }, number]>([
    ["KP6: Ctrl-D", { send: "\u0004" }, 130],
    ["KP6: Ctrl-C", { send: "\u0003" }, 130],
    ["SIGINT", { signal: "SIGINT" }, 130],
    ["K12: SIGTERM", { signal: "SIGTERM" }, 143],
    ["K12: SIGHUP", { signal: "SIGHUP" }, 129],
  ])("%s ends them with its exit code and the terminal as it was", async (_, step, code) => {
    const { output, ...end } = await inTerminal(
      box,
      ["secrets", "set", "A"],
      [{ wait: "shown): " }, { send: "abc" }, { pause: 0.1 }, step],
    );
    expect(end).toEqual({ code, restored: true });
    expect(output).not.toContain("\u001b[?25l");
    expect(output).toContain("\u001b[?2004l");
    expect((await box.ak(["secrets", "list"])).stdout).toBe("");
  });

  it("KP6: Ctrl-D at a question deletes nothing", async () => {
    await box.ak(["secrets", "set", "A"], { input: "abcd" });
    const question = { wait: "Delete secret 'A'? (y/N): " };
    expect(await inTerminal(box, ["secrets", "delete", "A"], [question, { send: "\u0004" }])).toMatchObject({
      code: 130,
      restored: true,
    });
    expect(await inTerminal(box, ["secrets", "delete", "A"], [question, { send: "\r" }])).toMatchObject({ code: 0 });
    expect(await stored("A")).toBe("abcd");
    expect(await inTerminal(box, ["secrets", "delete", "A"], [question, { send: "y\r" }])).toMatchObject({ code: 0 });
    expect(await box.ak(["secrets", "get", "A"])).toMatchObject({ code: 3 });
  });

  it("K8: work in a narrow and in a dumb terminal", async () => {
    const steps = [
      { wait: "User name of 'DB': " },
      { send: `${"x".repeat(50)}\r` },
      { wait: "shown): " },
      { send: "pw12\r" },
    ];
    const options = { columns: 20, term: "dumb" };
    const { output, code } = await inTerminal(box, ["secrets", "set", "DB", "--type", "basicAuth"], steps, options);
    expect(code).toBe(0);
    expect(output).not.toContain("\u001b");
    expect(JSON.parse(await stored("DB"))).toEqual({ username: "x".repeat(50), password: "pw12" });
  });

  it("K9: ask for `-`, as standard input is the keyboard", async () => {
    const steps = [{ wait: "Value of 'A' (not shown): " }, { send: "abcd\r" }];
    expect(await inTerminal(box, ["secrets", "set", "A", "-"], steps)).toMatchObject({ code: 0 });
    expect(await stored("A")).toBe("abcd");
  });
});

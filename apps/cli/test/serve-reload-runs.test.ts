// @module-tag faults
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSandbox, type Sandbox } from "./run-cli.ts";

let box: Sandbox;
beforeAll(() => {
  box = createSandbox();
});
const inBox = (...names: string[]) => join(box.folder, ...names);
const LONG = { timeout: 60_000 };

/** Waits until a file of its name is there, and writes then which secret it has. */
const task = (id: string, more = "") =>
  `{ id: ${id}, type: core/shell.run, ${more} inputs: { cwd: "${box.folder}", env: { PLACE: "{{ secrets.PLACE }}", NAME: "{{ inputs.name }}" }, ` +
  `script: 'echo ${id} of $PLACE; until [ -e "go-$NAME" ]; do sleep 0.05; done; printf "%s\\n" "$PLACE" >> "did-$NAME"' } }`;
const workflow = (id: string) => `
apiVersion: v1
id: ${id}
secrets: [PLACE]
inputs: { name: { type: string } }
tasks:
  - ${task("first")}
  - ${task("second", "needs: [first],")}
`;

const VALUES = { before: "canary-before-7f3a", after: "canary-after-91bc" };

/** What a configuration says, besides the port. */
interface Said {
  readonly maxRuns: number;
  readonly workflows: string;
  readonly values: keyof typeof VALUES;
  readonly placeholder: string;
  readonly lookout: readonly string[];
}

const FIRST: Said = {
  maxRuns: 1,
  workflows: "old",
  values: "before",
  placeholder: "[before]",
  lookout: ["runs:read"],
};
const SECOND: Said = {
  maxRuns: 3,
  workflows: "new",
  values: "after",
  placeholder: "[after]",
  lookout: ["secrets:read"],
};

function configure({ maxRuns, workflows, values, placeholder, lookout }: Said): void {
  const text = `
server: { port: 0, log: false, maxRuns: ${maxRuns}, workflows: ${workflows}, roles: { lookout: [${lookout.join(", ")}] } }
providers: { mounted: { type: directory, folder: "${inBox(values)}", path: "{name}" } }
secrets: { PLACE: { provider: mounted } }
masking: { placeholder: "${placeholder}" }
`;
  writeFileSync(inBox("autokestra.config.yaml"), text, { mode: 0o600 });
}

let admin: string;
beforeAll(async () => {
  for (const [name, value] of Object.entries(VALUES)) {
    mkdirSync(inBox(name), { mode: 0o700 });
    writeFileSync(inBox(name, "PLACE"), value, { mode: 0o600 });
  }
  for (const [folder, id] of [
    ["old", "old"],
    ["new", "fresh"],
  ] as const) {
    mkdirSync(inBox(folder));
    writeFileSync(inBox(folder, `${id}.yaml`), workflow(id));
  }
  configure(FIRST);
  admin = await token("admin", "admin");
});
afterAll(() => box.remove());

async function token(name: string, role: string): Promise<string> {
  const made = await box.ak(["tokens", "create", name, "--role", role]);
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
  return made.stdout.trim();
}

type Json = ReturnType<typeof JSON.parse>;

async function serve() {
  const { child, ended } = box.start(["serve"]);
  let said = "";
  child.stderr?.on("data", (data) => {
    said += String(data);
  });
  const says = async (text: RegExp) => await expect.poll(() => said, LONG).toMatch(text);
  await says(/ready on \S+\n/);
  const [, address = ""] = /ready on (\S+)/.exec(said) ?? [];
  const open = async (method: string, path: string, bearer: string, body?: object, accept = "application/json") =>
    await fetch(address + path, {
      method,
      headers: { authorization: `Bearer ${bearer}`, accept, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  const ask = async (path: string): Promise<Json> => await (await open("GET", path, admin)).json();
  const states = async (ids: readonly string[]) =>
    await Promise.all(ids.map(async (id): Promise<string> => (await ask(`/api/runs/${id}`)).status));
  return {
    child,
    ask,
    open,
    states,
    status: async (path: string, bearer: string) => (await open("GET", path, bearer)).status,
    async start(id: string, name: string): Promise<string> {
      const answer = await open("POST", "/api/runs", admin, { workflow: id, inputs: { name } });
      expect(answer.status).toBe(202);
      return ((await answer.json()) as { execution: string }).execution;
    },
    /** Follows a run to its end. */
    follow(id: string): { readonly text: () => string; readonly over: Promise<void> } {
      let text = "";
      const over = (async () => {
        const { body } = await open("GET", `/api/runs/${id}/events`, admin, undefined, "text/event-stream");
        for await (const chunk of body ?? []) text += Buffer.from(chunk).toString();
      })();
      return { text: () => text, over };
    },
    /** @returns what it says of it */
    async reload(): Promise<string> {
      said = "";
      child.kill("SIGHUP");
      await says(/has reloaded its configuration|was not reloaded/);
      return said;
    },
    async end() {
      child.kill("SIGTERM");
      return await ended;
    },
  };
}

const go = (name: string) => writeFileSync(inBox(`go-${name}`), "");
const did = (name: string) =>
  existsSync(inBox(`did-${name}`))
    ? readFileSync(inBox(`did-${name}`), "utf8")
        .split("\n")
        .filter(Boolean)
    : [];

/** The ids of the events of a stream, and their kinds. */
function eventsOf(stream: string): { readonly ids: readonly string[]; readonly last: string | undefined } {
  const ids = [...stream.matchAll(/^id: ?(.*)$/gm)].map(([, id = ""]) => id);
  return { ids, last: [...stream.matchAll(/"event":"([^"]+)"/g)].at(-1)?.[1] };
}

it("SIGHUP: runs that go on end by what they began with, those that wait begin by what is new, and none is lost", async () => {
  const server = await serve();
  const lookout = await token("lookout", "lookout");
  const leaves = await token("leaves", "admin");
  try {
    const running = await server.start("old", "running");
    await expect.poll(async () => await server.states([running]), LONG).toEqual(["running"]);
    const waiting = [await server.start("old", "waits-1"), await server.start("old", "waits-2")];
    const stream = server.follow(running);
    await expect.poll(stream.text, LONG).toContain("first of [before]");
    expect(await server.states(waiting)).toEqual(["queued", "queued"]);
    expect([await server.status("/api/runs", lookout), await server.status("/api/runs", leaves)]).toEqual([200, 200]);

    // What cannot be used changes nothing, and closes nothing.
    configure({ ...SECOND, workflows: "none" });
    expect(await server.reload()).toContain("The folder of the workflows does not exist");
    configure({ ...SECOND, lookout: ["runs:everything"] });
    expect(await server.reload()).toContain("There is no permission 'runs:everything'");
    expect(await server.states([running, ...waiting])).toEqual(["running", "queued", "queued"]);
    expect((await server.ask("/api/workflows")).map(({ id }: Json) => id)).toEqual(["old"]);

    configure(SECOND);
    await box.ak(["tokens", "revoke", "leaves"]);
    expect(await server.status("/api/runs", leaves)).toBe(401);
    expect(await server.reload()).toBe("autokestra has reloaded its configuration\n");
    expect(await server.status("/api/runs", lookout)).toBe(403);
    expect(await server.status("/api/runs", leaves)).toBe(401);
    expect((await server.ask("/api/workflows")).map(({ id }: Json) => id)).toEqual(["fresh"]);
    expect((await server.open("POST", "/api/runs", admin, { workflow: "old", inputs: { name: "x" } })).status).toBe(
      404,
    );
    // Three at once now, and what was taken from a folder before still begins.
    await expect.poll(async () => await server.states(waiting), LONG).toEqual(["running", "running"]);
    const fresh = await server.start("fresh", "fresh");

    // Again and again, while a stream is open: with fewer at once no run is stopped, and no other begins.
    for (let count = 0; count < 3; count++) expect(await server.reload()).toContain("has reloaded");
    configure({ ...SECOND, maxRuns: 1 });
    await server.reload();
    expect(await server.states([running, ...waiting, fresh])).toEqual(["running", "running", "running", "queued"]);

    go("running");
    await stream.over;
    const { ids, last } = eventsOf(stream.text());
    expect(last).toBe("run.finished");
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toHaveLength((await server.ask(`/api/runs/${running}/events`)).length);
    expect(stream.text()).toContain("second of [before]");
    expect(did("running")).toEqual([VALUES.before, VALUES.before]);
    expect(await server.states([fresh])).toEqual(["queued"]);

    for (const name of ["waits-1", "waits-2", "fresh"]) go(name);
    const all = [running, ...waiting, fresh];
    await expect.poll(async () => await server.states(all), LONG).toEqual(all.map(() => "success"));
    for (const name of ["waits-1", "waits-2", "fresh"]) expect(did(name)).toEqual([VALUES.after, VALUES.after]);
    const events = JSON.stringify(await server.ask(`/api/runs/${fresh}/events`));
    expect([events.includes("second of [after]"), events.includes("canary")]).toEqual([true, false]);
    // What is not at once in use is said.
    configure({ ...SECOND });
    writeFileSync(inBox("autokestra.config.yaml"), "server: { port: 0, log: false }\nruns: { keepDays: 3 }\n");
    expect(await server.reload()).toContain(
      "restart the server to apply the changes in runs.keepDays, server.workflows",
    );
    expect((await server.ask("/api/workflows")).map(({ id }: Json) => id)).toEqual(["fresh"]);
  } finally {
    for (const name of ["running", "waits-1", "waits-2", "fresh"]) go(name);
    expect((await server.end()).code).toBe(0);
  }
});

// Runs: what they print, how they end, and what is recorded of them.
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer } from "../support/server.mjs";
import { runSql } from "../support/tamper.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

/** @param {Recorder} recorder */
export async function record(recorder) {
  const server = await startServer();
  try {
    recorder.part("Before anything");
    for (const line of [
      "runs list",
      "runs list --json",
      "runs list --quiet",
      "runs show none",
      "runs show none --json",
    ])
      await recorder.ak(line);
    await recorder.ak("secrets set TOKEN --quiet", { input: "token-value-1" });
    await recorder.ak("secrets set DB --type basicAuth --field username=reporting --field password=- --quiet", {
      input: "pass-word-7",
    });
    await successes(recorder, server.url);
    await inputs(recorder);
    await failures(recorder, server.url);
    await refusals(recorder);
    await interruption(recorder, server);
    await history(recorder);
  } finally {
    server.close();
  }
}

/** A workflow in JSON, which is YAML too. @param {object} workflow */
function toText(workflow) {
  return `${JSON.stringify({ apiVersion: "v1", ...workflow }, null, 2)}\n`;
}

/** @param {string} message @param {object} [more] */
function say(message, more) {
  return { id: "say", type: "core/console.log", inputs: { message }, ...more };
}

/** @param {Recorder} recorder @param {string} url */
async function successes({ ak, part, write }, url) {
  part("Runs that succeed");
  write(
    "hello.json",
    toText({
      id: "hello",
      inputs: { who: { type: "string", default: "world" } },
      tasks: [say("hello {{ inputs.who }}")],
    }),
  );
  await ak("run hello.json");
  await ak("run hello.json --json --input who=you");
  await ak("run hello.json --quiet");
  await ak("run hello.json --no-color");
  const call = {
    id: "call",
    type: "core/http.request",
    inputs: {
      method: "POST",
      url: `${url}/echo`,
      headers: { "X-API-Key": "{{ secrets.TOKEN }}" },
      auth: { basic: { username: "{{ secrets.DB.username }}", password: "{{ secrets.DB.password }}" } },
      body: { token: "{{ secrets.TOKEN }}", all: "{{ secrets.DB }}" },
    },
  };
  const shown = say("{{ tasks.call.output.body }}", { needs: ["call"] });
  write("masked.json", toText({ id: "masked", secrets: ["TOKEN", "DB"], tasks: [call, shown] }));
  for (const options of ["", " --json", " --fail-on-leak", " --fail-on-leak --json", " --no-env"])
    await ak(`run masked.json${options}`);
  const token = {
    id: "token",
    type: "core/http.get",
    inputs: { url: `${url}/token` },
    secretOutputs: ["body.session.key", "body.none"],
  };
  write(
    "outputs.json",
    toText({ id: "outputs", tasks: [token, say("{{ tasks.token.output.body }}", { needs: ["token"] })] }),
  );
  await ak("run outputs.json");
  await ak("run outputs.json --json --fail-on-leak");
  write(
    "levels.json",
    toText({
      id: "levels",
      tasks: ["debug", "info", "warn", "error"].map((level, index, levels) => ({
        id: level,
        type: "core/console.log",
        needs: levels.slice(0, index),
        inputs: { level, message: `at ${level}\nand a second line\u001b[31m` },
      })),
    }),
  );
  await ak("run levels.json");
  await ak("run levels.json --quiet");
  write(
    "environment.json",
    toText({ id: "environment", secrets: ["EXTRA", "MORE"], tasks: [say("{{ secrets.EXTRA }} {{ secrets.MORE }}")] }),
  );
  const env = { EXTRA: "value-from-the-environment", MORE_FILE: write("more.txt", "value-from-a-file\n") };
  await ak("run environment.json", { env });
  await ak("run environment.json --no-env", { env });
}

/** @param {Recorder} recorder */
async function inputs({ ak, part, write }) {
  part("Inputs");
  write(
    "inputs.json",
    toText({
      id: "inputs",
      inputs: {
        name: { type: "string" },
        count: { type: "number", default: 3 },
        flag: { type: "boolean", default: false },
        list: { type: "json", default: [] },
      },
      tasks: [say("{{ inputs.name }} {{ inputs.flag }} {{ inputs.list }}")],
    }),
  );
  await ak("run inputs.json");
  await ak("run inputs.json --json");
  await ak("run inputs.json --input name=x --input flag=true --input count=4 --input list=[1,2]");
  for (const given of ["count=many", "flag=maybe", "list=[1", "nmae=x", "name=x --input other=y"])
    await ak(`run inputs.json --input ${given}`);
  write(
    "secret-input.json",
    toText({
      id: "secret-input",
      inputs: { password: { type: "string", secret: true } },
      tasks: [say("with {{ inputs.password }}")],
    }),
  );
  await ak("run secret-input.json");
  await ak("run secret-input.json --input password=pass-word-8");
  await ak("run secret-input.json --json", { env: { PASSWORD_FILE: write("password.txt", "pass-word-9\n") } });
  await ak("run secret-input.json", { env: { PASSWORD_FILE: "none.txt" } });
}

/** @param {Recorder} recorder @param {string} url */
async function failures({ ak, part, write }, url) {
  part("Runs that fail");
  const get = (/** @type {string} */ address, /** @type {object} */ more = {}) => ({
    id: "get",
    type: "core/http.get",
    inputs: { url: address },
    ...more,
  });
  const after = say("never", { needs: ["get"] });
  /** @type {readonly (readonly [string, object])[]} */
  const workflows = [
    ["refused", { tasks: [get("http://127.0.0.1:1/"), after] }],
    ["status", { tasks: [get(`${url}/status/404`), after] }],
    ["retried", { tasks: [get(`${url}/status/503`, { retry: { max: 2, backoffSeconds: 0 } })] }],
    ["allowed", { tasks: [{ ...get(""), inputs: { url: `${url}/status/404`, allowStatus: [404] } }] }],
    ["slow", { tasks: [get(`${url}/hang`, { timeoutSeconds: 0.3 }), after] }],
    ["late", { timeoutSeconds: 2, tasks: [get(`${url}/hang`), after] }],
    [
      "no-output",
      {
        tasks: [
          { ...get(""), inputs: { url: `${url}/echo` } },
          say("{{ tasks.get.output.body.none }}", { needs: ["get"] }),
        ],
      },
    ],
    [
      "invalid",
      {
        tasks: [{ ...get(""), inputs: { url: `${url}/echo`, allowStatus: "{{ inputs.status }}" } }],
        inputs: { status: { type: "string", default: "no" } },
      },
    ],
    ["in-an-error", { secrets: ["TOKEN"], tasks: [get("http://127.0.0.1:1/{{ secrets.TOKEN }}")] }],
  ];
  for (const [name, workflow] of workflows) {
    write(`${name}.json`, toText({ id: name, ...workflow }));
    await ak(`run ${name}.json`);
    await ak(`run ${name}.json --json`);
  }
  await ak("run status.json --quiet");
}

/** @param {Recorder} recorder */
async function refusals({ ak, part, write }) {
  part("Runs that do not begin");
  write(
    "missing.json",
    toText({ id: "missing", secrets: ["TOKEN", "GONE", "AWAY"], tasks: [say("{{ secrets.GONE }}")] }),
  );
  write("undeclared.json", toText({ id: "undeclared", secrets: ["DB"], tasks: [say("{{ secrets.TOKEN }}")] }));
  write("no-field.json", toText({ id: "no-field", secrets: ["DB"], tasks: [say("{{ secrets.DB.pasword }}")] }));
  write("disabled.json", toText({ id: "disabled", enabled: false, tasks: [say("x")] }));
  write("broken.yaml", "apiVersion: v1\nid: [\n");
  for (const file of ["missing.json", "undeclared.json", "no-field.json", "disabled.json", "broken.yaml", "."]) {
    await ak(`run ${file}`);
    await ak(`run ${file} --json`);
  }
  await ak("run missing.json --no-env");
}

/** @param {Recorder} recorder @param {Awaited<ReturnType<typeof startServer>>} server */
async function interruption({ ak, part, write }, server) {
  part("Runs that are interrupted");
  write(
    "hang.json",
    toText({
      id: "hang",
      tasks: [
        { id: "get", type: "core/http.get", inputs: { url: `${server.url}/hang` } },
        say("never", { needs: ["get"] }),
      ],
    }),
  );
  await ak("run hang.json", { signal: "SIGINT", when: server.asked() });
  await ak("run hang.json --json", { signal: "SIGTERM", when: server.asked() });
  await ak("run hang.json --quiet", { signal: "SIGKILL", when: server.asked() });
}

/** @param {Recorder} recorder */
async function history({ ak, part, folder, write }) {
  part("What is recorded");
  await ak("runs list");
  await ak("runs list --limit 2 --json");
  await ak("runs ls --workflow masked --limit 1");
  for (const status of ["success", "failed", "cancelled", "running", "lost", "unknown", "unfinished"])
    await ak(`runs list --status ${status} --limit 2`);
  await ak("runs list --workflow none");
  const { stdout } = await ak("runs list --workflow masked --limit 1 --json");
  const [{ execution }] = JSON.parse(stdout);
  await ak(`runs show ${execution}`);
  await ak(`runs show ${execution} --json`);
  await ak("runs show 00000000-0000-0000-0000-000000000000");
  await ak("run hello.json --runs-path elsewhere/runs.db");
  await ak("runs list --runs-path elsewhere/runs.db");
  await ak("run hello.json --runs-path hello.json/runs.db");
  await ak("runs list --runs-path hello.json/runs.db");
  part("A history that is damaged");
  const file = join(folder, ".workflow/runs.db");
  copyFileSync(file, join(folder, "runs.db"));
  runSql(join(folder, "runs.db"), "PRAGMA user_version = 99");
  for (const line of ["runs list", "runs show none", "run hello.json"]) await ak(`${line} --runs-path runs.db`);
  rmSync(join(folder, "runs.db"));
  writeFileSync(join(folder, "runs.db"), "no database\n".repeat(500), { mode: 0o600 });
  for (const line of ["runs list", "runs list --json", "run hello.json"]) await ak(`${line} --runs-path runs.db`);
  write("empty.db", "");
  await ak("runs list --runs-path empty.db");
}

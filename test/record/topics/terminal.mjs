// What people see: tables, questions, colours.

import { startServer } from "../support/server.mjs";

/** @import { Recorder } from "../support/recorder.mjs" */

/** @param {Recorder} recorder */
export async function record(recorder) {
  await questions(recorder);
  await tables(recorder);
  await runs(recorder);
}

/** @param {Recorder} recorder */
async function questions({ ak, part, terminal }) {
  part("Questions");
  const value = { wait: "not shown" };
  await terminal("secrets set TOKEN", { steps: [value, { send: "token-value-1\r" }] });
  await terminal("secrets set TOKEN", { steps: [value, { send: "\r" }] });
  await terminal("secrets set TOKEN", { steps: [value, { send: "\u0003" }] });
  const login = [{ wait: "User name" }, { send: "ada\r" }, { wait: "Password" }, { send: "pass-word-7\r" }];
  await terminal("secrets set DB --type basicAuth", { steps: login });
  await terminal("secrets delete TOKEN", { steps: [{ wait: "?" }, { send: "n\r" }] });
  await terminal("secrets delete TOKEN", { steps: [{ wait: "?" }, { send: "y\r" }] });
  await terminal("secrets delete TOKEN --purge", { steps: [{ wait: "?" }, { send: "y\r" }] });
  await ak("secrets list");
  await terminal("secrets get DB");
  await terminal("secrets get NONE");
  await terminal("secrets get NONE --json");
}

/** @param {Recorder} recorder */
async function tables({ ak, part, terminal }) {
  part("Tables");
  await ak(
    "secrets set TOKEN --quiet --expires-at 2100-01-01 --tag prod --tag eu --description 'of the payment service, which is a long story'",
    { input: "token-value-1" },
  );
  await ak("secrets set A_NAME_THAT_IS_SO_LONG_THAT_IT_TAKES_MUCH_ROOM_IN_EVERY_TABLE --quiet", { input: "a-value-2" });
  await ak("secrets set GONE --quiet", { input: "gone-value-3" });
  await ak("secrets delete GONE --force --quiet");
  for (const columns of [80, 120, 200]) {
    await terminal("secrets list", { columns });
    await terminal("secrets list --deleted", { columns });
    await terminal("secrets versions TOKEN", { columns });
    await terminal("secrets describe TOKEN", { columns });
  }
  await terminal("secrets list --prefix NONE");
  await terminal("secrets list --json");
}

/** @param {Recorder} recorder */
async function runs({ ak, part, terminal, write }) {
  part("Runs");
  write(
    "colours.yaml",
    `apiVersion: v1
id: colours
secrets: [TOKEN]
tasks:
  - { id: info, type: core/console.log, inputs: { message: "at info: {{ secrets.TOKEN }}" } }
  - { id: error, type: core/console.log, needs: [info], inputs: { level: error, message: "at error" } }
`,
  );
  write(
    "asks.yaml",
    `apiVersion: v1
id: asks
inputs: { password: { type: string, secret: true } }
tasks: [{ id: a, type: core/console.log, inputs: { message: "{{ inputs.password }}" } }]
`,
  );
  // How often the view is drawn depends on the machine.
  await terminal("run colours.yaml --no-live");
  await terminal("run colours.yaml --no-color");
  await terminal("run asks.yaml --no-live", { steps: [{ wait: "not shown" }, { send: "pass-word-9\r" }] });
  // A run that was lost has no duration, which would make the column as wide as it is long.
  const server = await startServer();
  write(
    "lost.yaml",
    `{ apiVersion: v1, id: lost, tasks: [{ id: a, type: core/http.get, inputs: { url: "${server.url}/hang" } }] }`,
  );
  await ak("run lost.yaml --quiet --runs-path lost.db", { signal: "SIGKILL", when: server.asked() });
  server.close();
  for (const columns of [80, 200]) await terminal("runs list --runs-path lost.db", { columns });
  await terminal("runs list --status failed --runs-path lost.db");
}

// Workflows that are checked and exported.

/** @import { Recorder } from "../support/recorder.mjs" */

const GOOD = `apiVersion: v1
id: good
secrets: [TOKEN, DB]
inputs: { who: { type: string, default: world }, password: { type: string, secret: true } }
tasks:
  - id: fetch
    type: core/http.request
    inputs:
      url: https://api.example.com/
      headers: { X-API-Key: "{{ secrets.TOKEN }}" }
      auth: { basic: { username: "{{ secrets.DB.username }}", password: "{{ secrets.DB.password }}" } }
  - id: say
    type: core/console.log
    needs: [fetch]
    inputs: { message: "hello {{ inputs.who }} {{ tasks.fetch.output.status }} {{ inputs.password }}" }
`;

/** What is wrong with each file. @type {Readonly<Record<string, string>>} */
const FILES = {
  "good.yaml": GOOD,
  "empty.yaml": "",
  "text.yaml": "just a text\n",
  "syntax.yaml": "apiVersion: v1\nid: [a\ntasks: []\n",
  "tabs.yaml": "apiVersion: v1\n\tid: a\n",
  "duplicate.yaml":
    "apiVersion: v1\nid: a\nid: b\ntasks: [{ id: a, type: core/console.log, inputs: { message: x } }]\n",
  "merge.yaml": "apiVersion: v1\nid: a\ntasks: [{ id: a, type: core/console.log, <<: { inputs: { message: x } } }]\n",
  "shape.yaml": "apiVersion: v2\nid: 'a b'\nnmae: x\nsecrets: TOKEN\ninputs: { n: { type: text } }\ntasks: []\n",
  "keys.yaml":
    "apiVersion: v1\nid: a\ntask: []\ntasks: [{ id: a, type: core/console.log, input: { message: x }, retry: { maxx: 1 } }]\n",
  "circle.yaml":
    "apiVersion: v1\nid: a\ntasks:\n  - { id: a, type: core/console.log, needs: [b], inputs: { message: x } }\n  - { id: b, type: core/console.log, needs: [a], inputs: { message: x } }\n  - { id: b, type: core/console.log, needs: [cc], inputs: { message: x } }\n",
  "references.yaml": `apiVersion: v1
id: a
secrets: [TOKEN, GONE]
tasks:
  - { id: a, type: core/console.log, inputs: { message: "{{ secrets.TOKN }}" } }
  - { id: b, type: core/console.log, inputs: { message: "{{ secrets. }} {{ nope }} {{ inputs.none }}" } }
  - { id: c, type: core/console.log, inputs: { message: "{{ tasks.a.output }} {{ tasks.z.output }}" } }
  - { id: d, type: core/console.log, inputs: { message: "{{ secrets.DB.pasword" } }
`,
  "fields.yaml": `apiVersion: v1
id: a
secrets: [DB]
tasks: [{ id: a, type: core/console.log, inputs: { message: "{{ secrets.DB.pasword }} {{ secrets.DB }}" } }]
`,
  "actions.yaml": `apiVersion: v1
id: a
tasks:
  - { id: a, type: core/console.lgo, inputs: { message: x } }
  - { id: b, type: core/http.request, inputs: { method: FETCH, headers: [1] } }
  - { id: c, type: none, inputs: {} }
  - { id: d, type: core/http.get, inputs: { url: "ftp://example.com" }, secretOutputs: ["body..x"], timeoutSeconds: -1 }
`,
  "numbers.yaml": `apiVersion: v1
id: a
tasks:
  - { id: a, type: core/console.log, inputs: { message: 01234 } }
  - { id: b, type: core/http.get, inputs: { url: "https://example.com", query: { v: 1.10, big: 12345678901234567890 } } }
`,
  "triggers.yaml":
    'apiVersion: v1\nid: a\ntrigger: { type: cron, cron: "61 * * * *", timeZone: Europe/Berln }\ntasks: [{ id: a, type: core/console.log, inputs: { message: x } }]\n',
  "defaults.yaml":
    "apiVersion: v1\nid: a\ninputs: { n: { type: number, default: many }, s: { type: string, secret: true, default: x } }\ntasks: [{ id: a, type: core/console.log, inputs: { message: x } }]\n",
  "advice.yaml": `apiVersion: v1
id: a
secrets: [TOKEN]
inputs: { unused: { type: string, default: x } }
tasks:
  - { id: a, type: core/console.log, inputs: { message: "\${{ secrets.TOKEN }}" } }
  - { id: b, type: core/http.get, inputs: { url: "https://ada:pass-word-7@example.com/", headers: { Authorization: "Bearer 4nQx7f3a9c1e5b8d2k6m" } } }
  - { id: c, type: core/console.log, inputs: { message: 'C:\\{{ inputs.unused }}' } }
`,
  "disabled.yaml":
    "apiVersion: v1\nid: a\nenabled: false\ntasks: [{ id: a, type: core/console.log, inputs: { message: x } }]\n",
  "good.json": '{"apiVersion":"v1","id":"a","tasks":[{"id":"a","type":"core/console.log","inputs":{"message":"x"}}]}\n',
  "wide.yaml": `apiVersion: v1\nid: a\ntasks: [{ id: a, type: core/console.log, inputs: { message: "${"a long text ".repeat(20)}{{ nope }}" } }]\n`,
};

/** @param {Recorder} recorder */
export async function record({ ak, part, write, terminal }) {
  for (const [name, text] of Object.entries(FILES)) write(name, text);
  part("check, without a store");
  await ak("check good.yaml");
  await ak("check good.yaml --no-env --json");
  await ak("check good.yaml", { env: { TOKEN: "from the environment", DB_FILE: "none" } });
  await ak("secrets set TOKEN --quiet", { input: "token-value-1" });
  await ak("secrets set DB --type basicAuth --field username=ada --field password=- --quiet", { input: "pass-word-7" });
  part("check, as text");
  for (const name of Object.keys(FILES)) await ak(`check ${name}`);
  await ak("check good.yaml fields.yaml none.yaml");
  await ak("check advice.yaml --strict");
  await ak("lint good.yaml --strict --quiet");
  part("check, as JSON");
  await ak(`check --json ${Object.keys(FILES).join(" ")}`);
  part("run, of what does not pass");
  for (const name of ["references.yaml", "shape.yaml", "circle.yaml", "actions.yaml", "syntax.yaml", "disabled.yaml"]) {
    await ak(`run ${name}`);
    await ak(`run ${name} --json`);
  }
  part("Expiry");
  await ak("secrets edit TOKEN --expires-at 2020-01-01");
  await ak("check good.yaml");
  await ak("check good.yaml --json");
  await ak("secrets edit TOKEN --expires-at 3d --quiet");
  await ak("check good.yaml");
  await ak("check good.yaml --strict --json");
  await ak("secrets edit TOKEN --expires-at never --quiet");
  part("export");
  await ak("export good.yaml");
  await ak("export good.yaml --json");
  await ak("export good.json");
  await ak("export advice.yaml");
  await ak("export references.yaml");
  await ak("export syntax.yaml --json");
  part("In a terminal");
  for (const columns of [80, 40, 200]) await terminal("check wide.yaml references.yaml", { columns });
}

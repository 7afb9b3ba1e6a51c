// @ts-nocheck: it tries what no plugin should, on purpose.
import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";

const use = async (name) => await import(name);

/** What a hostile plugin tries. Each returns what it has reached, or throws. */
const probes = {
  "use an open file": async () => {
    const fs = await use("node:fs");
    const found = [];
    for (let fd = 4; fd < 64; fd++) {
      try {
        if (fs.fstatSync(fd).isFile()) found.push(fd);
      } catch {
        // Not open.
      }
    }
    return found.join() || block("none");
  },
  "read a file": async ({ key }) => (await use("node:fs")).readFileSync(key, "utf8"),
  "read a file by a promise": async ({ key }) => await (await use("node:fs/promises")).readFile(key, "utf8"),
  "read a file by bytes": async ({ key }) => (await use("node:fs")).readFileSync(Buffer.from(key), "utf8"),
  "read a file by a URL": async ({ key }) => (await use("node:fs")).readFileSync(new URL(`file://${key}`), "utf8"),
  "read a file by a path through its own folder": async ({ own, key }) =>
    (await use("node:fs")).readFileSync(`${own}/../${key.split("/").at(-2)}/${key.split("/").at(-1)}`, "utf8"),
  "read a file by /proc/self/root": async ({ key }) =>
    (await use("node:fs")).readFileSync(`/proc/self/root${key}`, "utf8"),
  "read a file as a stream": async ({ key }) => await new Response((await use("node:fs")).createReadStream(key)).text(),
  "read a file as a blob": async ({ key }) => await (await (await use("node:fs")).openAsBlob(key)).text(),
  "read a file as a module": async ({ own, key }) => (await use("node:module")).createRequire(`${own}/x.js`)(key),
  "read a file as an import": async ({ key }) => JSON.stringify(await import(`${key}.mjs`)),
  "read a file as an environment": async ({ key }) => process.loadEnvFile?.(key) ?? process.env["KEY"] ?? block("none"),
  "read a file by SQLite": async ({ store }) => {
    const { DatabaseSync } = await use("node:sqlite");
    return JSON.stringify(new DatabaseSync(store).prepare("SELECT * FROM t").all());
  },
  "read a file by WASI": async ({ key }) => {
    const { WASI } = await use("node:wasi");
    return String(new WASI({ version: "preview1", preopens: { "/": key.slice(0, key.lastIndexOf("/")) } }));
  },
  "read a file by process.binding": async () => String(process.binding("fs").open),
  "list a folder": async ({ project }) => (await use("node:fs")).readdirSync(project).join(),
  "read the configuration": async ({ project }) =>
    (await use("node:fs")).readFileSync(`${project}/autokestra.config.yaml`, "utf8"),
  "read a system file": async () => (await use("node:fs")).readFileSync("/etc/passwd", "utf8"),
  "read its environment": async () => Object.keys(process.env).join() || block("empty"),
  "read the environment of its parent": async () =>
    (await use("node:fs")).readFileSync(`/proc/${process.ppid}/environ`, "utf8"),
  "read the memory of its parent": async () => (await use("node:fs")).openSync(`/proc/${process.ppid}/mem`),
  "write a file": async ({ project }) => (await use("node:fs")).writeFileSync(`${project}/written`, "x") ?? "written",
  "write in its own folder": async ({ own }) =>
    (await use("node:fs")).writeFileSync(`${own}/written`, "x") ?? "written",
  "make a link": async ({ own, key }) => (await use("node:fs")).symlinkSync(key, `${own}/link`) ?? "linked",
  "write a report": async ({ project }) => process.report.writeReport(`${project}/written`),
  "write a heap snapshot": async ({ project }) => (await use("node:v8")).writeHeapSnapshot(`${project}/written`),
  "start a program": async () =>
    (await use("node:child_process")).execFileSync("/bin/echo", ["started"], { encoding: "utf8" }),
  "start a thread": async () => {
    const { Worker } = await use("node:worker_threads");
    const worker = new Worker("require('worker_threads').parentPort.postMessage('started')", { eval: true });
    return await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  },
  "load native code": async ({ own }) => process.dlopen({ exports: {} }, `${own}/addon.node`) ?? "loaded",
  "open its own debugger": async () => {
    const inspector = await use("node:inspector");
    inspector.open(0);
    return inspector.url() ?? block("none");
  },
  "open the debugger of its parent": async () => {
    process.kill(process.ppid, "SIGUSR1");
    await new Promise((resolve) => setTimeout(resolve, 300));
    return await (await fetch("http://127.0.0.1:9229/json")).text();
  },
  "connect to a server": async ({ url }) => await (await fetch(url)).text(),
  "connect to a socket": async ({ socket }) => {
    const { connect } = await use("node:net");
    return await new Promise((resolve, reject) =>
      connect(socket)
        .on("data", (bytes) => resolve(String(bytes)))
        .on("error", reject),
    );
  },
  "ask for a name": async () => (await (await use("node:dns/promises")).lookup("localhost")).address,
};

function block(why) {
  throw Object.assign(new Error(why), { code: "NOTHING" });
}

export const plugin = definePlugin({
  name: "test/probe",
  actions: {
    all: defineAction({
      input: z.record(z.string(), z.string()),
      async run(places) {
        const found = {};
        for (const [name, probe] of Object.entries(probes)) {
          try {
            found[name] = { reached: String(await probe(places)) };
          } catch (error) {
            found[name] = { blocked: error.code ?? error.cause?.code ?? `${error.name}: ${error.message}` };
          }
        }
        return found;
      },
    }),
  },
});

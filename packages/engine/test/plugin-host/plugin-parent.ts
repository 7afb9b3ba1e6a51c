/**
 * A program that runs tasks with the plugins of a configuration, in a process of its own: `node plugin-parent.js FOLDER PLUGINS TASKS`. It
 * prints each event as a line of JSON.
 */
import { corePlugins } from "@autokestra/plugins-core";
import { parseWorkflow, runWorkflow } from "../../src/index.ts";
import { openHost } from "./open-host.ts";

const [folder = "", plugins = "", tasks = ""] = process.argv.slice(2);
const host = openHost(folder, plugins);
try {
  await runWorkflow(parseWorkflow(`apiVersion: v1\nid: w\ntasks:\n${tasks}`, "w.yaml"), {
    sources: [],
    plugins: corePlugins,
    loadPlugins: host.load,
    sink: (event) => console.log(JSON.stringify(event)),
  });
} catch (error) {
  console.log(JSON.stringify({ refused: error instanceof Error ? error.message : String(error) }));
} finally {
  await host.close();
}

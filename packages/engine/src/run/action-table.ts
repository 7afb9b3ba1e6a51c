import type { Action, Plugin } from "@autokestra/plugin-sdk";
import { AutokestraError } from "@autokestra/secrets-core";

/**
 * All actions of these plugins, by type. The same plugin twice counts once.
 *
 * @throws AutokestraError `USAGE` where two plugins have one name, or one action: the later would win unnoticed
 */
export function createActionTable(plugins: readonly Plugin[]): ReadonlyMap<string, Action> {
  const distinct = new Set(plugins);
  const owners = new Map<string, Plugin>();
  const table = new Map<string, Action>();
  for (const plugin of distinct) {
    for (const [type, action] of plugin.actions) {
      const owner = owners.get(type);
      if (owner !== undefined) throw conflict(`The action '${type}' is in two plugins`, owner, plugin);
      owners.set(type, plugin);
      table.set(type, action);
    }
  }
  const named = new Map<string, Plugin>();
  for (const plugin of distinct) {
    const twin = named.get(plugin.name);
    if (twin !== undefined) throw conflict(`Two plugins are named '${plugin.name}'`, twin, plugin);
    named.set(plugin.name, plugin);
  }
  return table;
}

function conflict(message: string, one: Plugin, other: Plugin): AutokestraError {
  return new AutokestraError("USAGE", `${message}: ${describe(one)} and ${describe(other)}`, {
    hint: "Give one of them another name, or leave it out.",
  });
}

/** Two plugins of one name differ by their actions only. */
function describe({ name, actions }: Plugin): string {
  return `${name} (${[...actions.keys()].join(", ")})`;
}

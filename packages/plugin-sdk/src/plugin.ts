import type { Action } from "./action.ts";

/** Actions under one name. */
export interface Plugin {
  /** `namespace/plugin`, such as `core/http`. */
  readonly name: string;
  /** By their type in a workflow, such as `core/http.request`. */
  readonly actions: ReadonlyMap<string, Action>;
}

export interface PluginDefinition {
  /** `namespace/plugin`. Both parts are `[a-z0-9-]+`; there is no `@`: the package `@acme/plugin-mail` holds `acme/mail`. */
  readonly name: string;
  /** By their short names, `[a-z0-9-]+`. */
  readonly actions: Readonly<Record<string, Action>>;
}

const PLUGIN_NAME = /^[a-z0-9-]+\/[a-z0-9-]+$/;
const ACTION_NAME = /^[a-z0-9-]+$/;

/**
 * Puts actions under a name: the action `request` of the plugin `core/http` is `core/http.request` in a workflow.
 *
 * @throws TypeError for a name of another form, or a plugin without actions
 */
export function definePlugin({ name, actions }: PluginDefinition): Plugin {
  if (!PLUGIN_NAME.test(name)) {
    throw new TypeError(`Invalid plugin name '${name}': write namespace/plugin with a-z, 0-9 and -, such as acme/mail`);
  }
  const entries = Object.entries(actions);
  if (entries.length === 0) throw new TypeError(`Plugin '${name}' has no actions`);
  const wrong = entries.find(([action]) => !ACTION_NAME.test(action));
  if (wrong) throw new TypeError(`Invalid action name '${wrong[0]}' in plugin '${name}': use a-z, 0-9 and -`);
  return Object.freeze({ name, actions: new Map(entries.map(([action, value]) => [`${name}.${action}`, value])) });
}

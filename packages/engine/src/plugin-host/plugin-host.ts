import type { Config } from "@autokestra/config";
import type { Action, ActionContext, Plugin } from "@autokestra/plugin-sdk";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { allTasks, type Task } from "../workflow/workflow.ts";
import { HostedAction } from "./hosted-action.ts";
import { locatePlugin, type PluginPlace, PluginRefusal } from "./locate-plugin.ts";
import { permissionOptions } from "./node-permissions.ts";
import { type LoadedReport, PluginProcess, type ProcessPlan, type ReportedIssues } from "./plugin-process.ts";

/** Returns the plugins that these workflows need besides those in this process. */
export type PluginSource = (
  workflows: readonly ParsedWorkflow[],
  known: ReadonlyMap<string, Action>,
) => Promise<readonly Plugin[]>;

type ConfiguredPlugins = Pick<Config, "path" | "plugins" | "refusePlugin">;

/**
 * The plugins of a configuration for one run or check. Nothing is started before it is needed, and nothing outlives `close`: two runs
 * share no process.
 */
export class PluginHost {
  readonly #config: ConfiguredPlugins;
  readonly #kept: readonly string[];
  readonly #open: HostedPlugin[] = [];

  /** @param kept files and folders that no plugin may read, such as that of the secrets */
  constructor(config: ConfiguredPlugins, kept: readonly string[]) {
    this.#config = config;
    this.#kept = kept;
  }

  /**
   * Starts the plugins whose actions the workflows use.
   *
   * @throws FileError `CONFIG_INVALID` with the place in the configuration, if a plugin cannot be loaded
   */
  readonly load: PluginSource = async (workflows, known) => {
    const tasks = workflows.flatMap(({ workflow }) => allTasks(workflow)).map(({ task }) => task);
    const foreign = tasks.filter(({ type }) => !known.has(type));
    if (foreign.length === 0) return [];
    const places = this.#places();
    // A plugin that does not say its name in its package.json, or a type that nobody has, can only be found by asking.
    const isKnown = ({ type }: Task) => places.some(({ name }) => name === pluginOf(type));
    const asksAll = !foreign.every(isKnown);
    const used = places.map(({ name }) => asksAll || foreign.some(({ type }) => name === pluginOf(type)));
    return (
      await Promise.all(
        places.map(async (place, index) => (used[index] ? await this.#start(index, place, foreign) : [])),
      )
    ).flat();
  };

  /**
   * Starts all plugins, and ends them: what they say of themselves stays, and their actions cannot run.
   *
   * @throws as {@link PluginHost.load}
   */
  async describeAll(): Promise<readonly Plugin[]> {
    const described = this.#places().map(async (place, index) => await this.#start(index, place, []));
    try {
      return (await Promise.all(described)).flat();
    } finally {
      await Promise.allSettled(described);
      await this.close();
    }
  }

  #places(): readonly PluginPlace[] {
    return this.#config.plugins.map(({ module }, index) =>
      this.#orRefuse(index, () => locatePlugin(module, this.#config.path, this.#kept)),
    );
  }

  async #start(index: number, place: PluginPlace, tasks: readonly Task[]): Promise<Plugin[]> {
    const { network } = this.#config.plugins[index] ?? { network: true };
    const options = this.#orRefuse(index, () => permissionOptions({ readable: place.readable, network }));
    const hosted = new HostedPlugin({ ...place, options });
    this.#open.push(hosted);
    try {
      return [await hosted.load(tasks, place.name)];
    } catch (error) {
      throw this.#refuse(index, error);
    }
  }

  #orRefuse<T>(index: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#refuse(index, error);
    }
  }

  #refuse(index: number, error: unknown): unknown {
    return error instanceof PluginRefusal ? this.#config.refusePlugin(index, error.message, error.hint) : error;
  }

  /** Kills all processes, and waits until they have ended. */
  async close(): Promise<void> {
    await Promise.all(this.#open.map(async (plugin) => await plugin.close()));
  }
}

/** `acme/mail` of `acme/mail.send` */
function pluginOf(type: string): string {
  return type.slice(0, Math.max(0, type.lastIndexOf(".")));
}

/** One plugin with its processes: one for each action that runs at the same time. A later action uses an idle one again. */
class HostedPlugin {
  readonly #plan: ProcessPlan;
  readonly #all = new Set<PluginProcess>();
  readonly #idle: PluginProcess[] = [];

  constructor(plan: ProcessPlan) {
    this.#plan = plan;
  }

  /** @param expected its name in its package.json; null if that has none */
  async load(tasks: readonly Task[], expected: string | null): Promise<Plugin> {
    const asked = tasks.map(({ type, inputs }) => [type, inputs] as const);
    const { process, loaded } = await this.#start(asked);
    const { name, actions, textInputs } = loaded;
    if (expected !== null && expected !== name) {
      throw new PluginRefusal(`its package.json calls it '${expected}', and its module '${name}'`);
    }
    const wrong = actions.find(({ type }) => pluginOf(type) !== name);
    if (wrong !== undefined || name.startsWith("core/")) {
      throw new PluginRefusal(`its action '${wrong?.type ?? actions[0]?.type}' belongs to another plugin`);
    }
    if (tasks.some(({ type }) => pluginOf(type) === name)) this.#idle.push(process);
    else await this.#drop(process);
    return {
      name,
      actions: new Map(
        actions.map((described) => {
          const own = asked.flatMap(([type, inputs], index) =>
            type === described.type ? [[JSON.stringify(inputs), textInputs[index] ?? []] as const] : [],
          );
          return [described.type, new HostedAction(described, new Map(own), this)];
        }),
      ),
    };
  }

  async check(type: string, input: unknown): Promise<ReportedIssues> {
    return await this.#with(async (process) => await process.check(type, input));
  }

  async run(type: string, input: unknown, context: ActionContext): Promise<unknown> {
    return await this.#with(async (process) => await process.run(type, input, context));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map(async (process) => await process.close()));
  }

  async #with<T>(use: (process: PluginProcess) => Promise<T>): Promise<T> {
    const process = this.#takeIdle() ?? (await this.#start([])).process;
    try {
      return await use(process);
    } finally {
      if (process.isUsable) this.#idle.push(process);
      else await this.#drop(process);
    }
  }

  #takeIdle(): PluginProcess | undefined {
    for (let process = this.#idle.pop(); process !== undefined; process = this.#idle.pop()) {
      if (process.isUsable) return process;
      this.#all.delete(process);
    }
    return undefined;
  }

  async #start(tasks: Parameters<PluginProcess["load"]>[0]): Promise<{ process: PluginProcess; loaded: LoadedReport }> {
    const process = new PluginProcess(this.#plan);
    this.#all.add(process);
    try {
      return { process, loaded: await process.load(tasks) };
    } catch (error) {
      await this.#drop(process);
      throw error;
    }
  }

  async #drop(process: PluginProcess): Promise<void> {
    await process.close();
    this.#all.delete(process);
  }
}

import type { OutputOptions, RolldownOptions } from "rolldown";

interface Config extends Omit<RolldownOptions, "output"> {
  readonly output: OutputOptions;
}

export declare const bundle: Config;
declare const config: Config;
// biome-ignore lint/style/noDefaultExport: rolldown reads the default export.
export default config;

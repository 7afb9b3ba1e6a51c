import { PluginRefusal } from "./locate-plugin.ts";

/** What the process of a plugin may do. */
interface Permissions {
  /** Files, and folders that end with a slash. */
  readonly readable: readonly string[];
  readonly network: boolean;
}

/** The memory that the JavaScript of one process may take. */
const MAX_HEAP_MIB = 512;

/**
 * Returns the options with which this Node.js holds a process to its permissions: it reads these files, writes none, and starts no
 * process, thread or native code. Only Node 25 and later can take the network away.
 *
 * @param flags the options that this Node.js knows
 * @throws PluginRefusal if this Node.js cannot do it
 */
export function permissionOptions(
  { readable, network }: Permissions,
  flags: ReadonlySet<string> = process.allowedNodeEnvironmentFlags,
): readonly string[] {
  const canDenyNetwork = flags.has("--allow-net");
  if (!network && !canDenyNetwork) {
    throw new PluginRefusal(
      `Node.js ${process.versions.node} cannot take the network away from it, as 'network: false' says`,
      "Use Node.js 25 or later, or remove 'network: false'.",
    );
  }
  return [
    flags.has("--permission") ? "--permission" : "--experimental-permission",
    // Only what Node says of its permissions: other warnings are about the plugin.
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=SecurityWarning",
    `--max-old-space-size=${MAX_HEAP_MIB}`,
    ...readable.map((path) => `--allow-fs-read=${path.endsWith("/") ? `${path}*` : path}`),
    ...(network && canDenyNetwork ? ["--allow-net"] : []),
  ];
}

// Loaded into the command by `--import`: writes how much memory it had at its peak, in MiB, into the file that PEAK_MEMORY names.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const STATUS = "/proc/self/status";

process.on("exit", () => writeFileSync(process.env["PEAK_MEMORY"] ?? "", String(peakMiB())));

/** What the system says of the process itself: `maxRSS` begins at what the process had that has started it. */
function peakMiB() {
  const said = existsSync(STATUS) ? /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(STATUS, "utf8"))?.[1] : undefined;
  return Math.round(Number(said ?? process.resourceUsage().maxRSS) / 1024);
}

// Loaded into the command by `--import`: kills it when it has written the event that KILLED_AT says, as JSON with `event` and perhaps `task`.
import fs from "node:fs";

const at = JSON.parse(process.env["KILLED_AT"] ?? "{}");
const { writeSync } = fs;

/** The command writes each event by itself. @param {[descriptor: number, bytes: Buffer, ...rest: any[]]} args */
function writeAndDie(...args) {
  const written = writeSync(...args);
  const text = String(args[1]);
  if (text.includes(`"event":"${at.event}"`) && (at.task === undefined || text.includes(`"task":"${at.task}"`))) {
    process.kill(process.pid, "SIGKILL");
  }
  return written;
}

Object.assign(fs, { writeSync: writeAndDie });

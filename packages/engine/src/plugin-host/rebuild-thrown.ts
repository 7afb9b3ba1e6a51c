import { PluginInputError, PluginOutputError } from "@autokestra/plugin-sdk";
import type { ThrownReport } from "@autokestra/plugin-sdk/host";
import { unreadableOutput } from "../run/to-json.ts";

/** Returns what an action has thrown in its process, as far as a run reads it. */
export function rebuildThrown(report: ThrownReport): unknown {
  const { kind, message = "", causeCode, ...properties } = report;
  const cause = causeCode === undefined ? {} : { cause: { code: causeCode } };
  switch (kind) {
    case "value":
      return message;
    case "unreadable":
      return unreadableOutput(message);
    case "input":
      return new PluginInputError(withoutPrefix(message));
    case "output":
      return new PluginOutputError(withoutPrefix(message));
    default:
      // Something without a message is reported as such.
      return Object.assign(report.message === undefined ? {} : new Error(message), properties, cause);
  }
}

/** The errors put it before what they are made with. */
function withoutPrefix(message: string): string {
  return message.replace(/^Invalid (?:in|out)put: /, "");
}

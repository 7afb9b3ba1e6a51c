import { resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { isUrl } from "@autokestra/secrets-core/internal";

/** Where a store is. */
export type Location =
  | {
      readonly kind: "folder";
      /** Absolute. */
      readonly path: string;
    }
  | {
      readonly kind: "url";
      /** May contain a password: show it with {@link locationText}. */
      readonly url: URL;
    };

/**
 * Parses the location of a store: a path or a URL.
 *
 * @throws AutokestraError `OPTION_INVALID` for an invalid URL, which the message does not quote
 */
export function parseLocation(text: string): Location {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return { kind: "folder", path: resolve(text) };
  if (isUrl(text)) return { kind: "url", url: new URL(text) };
  throw new AutokestraError("OPTION_INVALID", "The location of the secrets is not a valid URL", {
    hint: "Give the path of a folder.",
  });
}

/** Returns a location as messages name it: a URL without user, password and query. */
export function locationText(location: Location): string {
  if (location.kind === "folder") return location.path;
  const { protocol, host, pathname } = location.url;
  return `${protocol}//${host}${pathname}`;
}

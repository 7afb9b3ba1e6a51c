import { resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";

/** Where a store is. */
export type Location =
  | {
      readonly kind: "folder";
      /** Absolute. */
      readonly path: string;
    }
  | {
      readonly kind: "url";
      /** May hold a password: {@link locationText} is what a person may see of it. */
      readonly url: URL;
    };

/**
 * Reads what a person gives as the location of a store.
 *
 * @throws AutokestraError `OPTION_INVALID` for what begins like a URL and is none; the text is not in the message
 */
export function parseLocation(text: string): Location {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: "folder", path: resolve(text) };
  if (URL.canParse(text)) return { kind: "url", url: new URL(text) };
  throw new AutokestraError("OPTION_INVALID", "The location of the secrets is not a valid URL", {
    hint: "Give the path of a folder.",
  });
}

/** A location as messages name it: of a URL nothing that can be a password. */
export function locationText(location: Location): string {
  if (location.kind === "folder") return location.path;
  const { protocol, host, pathname } = location.url;
  return `${protocol}//${host}${pathname}`;
}

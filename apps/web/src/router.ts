import { useEffect, useState } from "preact/hooks";

/** Where the page is: the part of its address after `#`, which no server gets to see. It has names and ids, and never a value. */
export interface Route {
  /** `["secrets", ID, "edit"]` */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export function readRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Values that are undefined or empty are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** The part of an address from `?` on; empty if nothing is given. */
export function searchOf(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [[key, `${value}`]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/** The address of a route, for links. */
export function hrefOf(path: readonly string[], query: Query = {}): string {
  return `#/${path.map(encodeURIComponent).join("/")}${searchOf(query)}`;
}

export function navigate(href: string): void {
  location.hash = href;
}

/** Changes the address without a step in the history: for what is being typed. */
export function replaceRoute(href: string): void {
  history.replaceState(null, "", href);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = () => setHash(location.hash);
    addEventListener("hashchange", onChange);
    // It may have changed since it was rendered.
    onChange();
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return readRoute(hash);
}

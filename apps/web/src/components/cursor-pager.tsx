import { hrefOf, navigate, type Route } from "../router.ts";
import { Pager } from "./data-table.tsx";

/** The cursors of the pages up to this one; none on the first page. The address has them, so that there is a way back. */
export function cursorsOf({ query }: Route): readonly string[] {
  return query.get("pages")?.split(",").filter(Boolean) ?? [];
}

interface CursorPagerProps {
  readonly route: Route;
  readonly cursors: readonly string[];
  readonly summary: string;
  /** The cursor of the next page; undefined if there is none. */
  readonly next: string | undefined;
}

/** The pager of a list whose pages are known by a cursor, and not by their number. */
export function CursorPager({ route: { path, query }, cursors, summary, next }: CursorPagerProps) {
  const goTo = (pages: readonly string[]) =>
    navigate(hrefOf(path, { ...Object.fromEntries(query), pages: pages.join(",") }));
  return (
    <Pager
      summary={cursors.length === 0 ? summary : `Page ${cursors.length + 1}: ${summary}`}
      onPrevious={cursors.length === 0 ? null : () => goTo(cursors.slice(0, -1))}
      onNext={next === undefined ? null : () => goTo([...cursors, next])}
    />
  );
}

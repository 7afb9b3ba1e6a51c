import type { ComponentChildren } from "preact";

export interface Column<Row> {
  readonly header: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Hidden on narrow screens: repeats the first column, or is not essential. */
  readonly isWide?: boolean;
}

interface DataTableProps<Row> {
  /** What it lists, for screen readers. */
  readonly caption: string;
  /** The first one names the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly isBusy?: boolean;
}

export function DataTable<Row>({ caption, columns, rows, keyOf, isBusy = false }: DataTableProps<Row>) {
  const [first, ...others] = columns;
  if (first === undefined) return null;
  return (
    <table aria-busy={isBusy} class="data">
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ header, isWide }) => (
            <th scope="col" key={header} class={isWide === true ? "wide" : ""}>
              {header}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)}>
            <th scope="row">{first.cell(row)}</th>
            {others.map(({ header, cell, isWide }) => (
              <td key={header} class={isWide === true ? "wide" : ""}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface PagerProps {
  /** What is shown: `1 to 50 of 312 secrets`. */
  readonly summary: string;
  /** Null: there is no such page. */
  readonly onPrevious: (() => void) | null;
  readonly onNext: (() => void) | null;
}

/** Leads to the page before and after. Says only what is shown where that is all. */
export function Pager({ summary, onPrevious, onNext }: PagerProps) {
  return (
    <nav class="pager" aria-label="Pages">
      <p role="status">{summary}</p>
      {(onPrevious !== null || onNext !== null) && (
        <div>
          <button
            type="button"
            class="secondary outline small"
            disabled={onPrevious === null}
            onClick={() => onPrevious?.()}
          >
            Previous
          </button>
          <button type="button" class="secondary outline small" disabled={onNext === null} onClick={() => onNext?.()}>
            Next
          </button>
        </div>
      )}
    </nav>
  );
}

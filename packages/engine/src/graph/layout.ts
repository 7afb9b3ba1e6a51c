/** A box to be placed. */
export interface Box {
  readonly width: number;
  readonly height: number;
}

/** A box in its place: its upper left corner. */
export interface PlacedBox extends Box {
  readonly x: number;
  readonly y: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where everything is. */
export interface Layout extends Box {
  /** In the order in which the boxes were given. */
  readonly boxes: readonly PlacedBox[];
  /** The points that each edge goes through, in the order in which the edges were given. */
  readonly edges: readonly (readonly Point[])[];
}

type Edge = readonly [from: number, to: number];

const COLUMN_GAP = 48;
const ROW_GAP = 16;
/** How often the rows are put in order. */
const SWEEPS = 4;
/** Up to this many places are kept free for edges that go past a column. Beyond it, edges go behind the boxes. */
const MAX_PASSAGES = 20_000;

/** A box, or the passage of an edge through a column. */
interface Cell extends Box {
  readonly column: number;
  readonly before: Cell[];
  readonly after: Cell[];
  y: number;
  order: number;
}

/**
 * Places boxes in columns from left to right, each after the boxes that it needs, so that edges rarely cross or pass boxes.
 * The same input has the same result. The time is linear in the boxes and edges: the `@dagrejs/dagre` of 2026 took 42 s
 * for 1 000 boxes with 10 edges each, and a server that draws a workflow does nothing else meanwhile.
 *
 * @param edges without a circle
 */
export function layOut(boxes: readonly Box[], edges: readonly Edge[]): Layout {
  const columnOf = columnsOf(boxes.length, edges);
  const cells = boxes.map((box, index) => newCell(columnOf[index] ?? 0, box));
  const columns: Cell[][] = Array.from({ length: Math.max(0, ...columnOf) + 1 }, () => []);
  for (const cell of cells) columns[cell.column]?.push(cell);
  const passages = connect(cells, edges, columns);
  for (let sweep = 0; sweep < SWEEPS; sweep++) sortRows(columns, sweep % 2 === 0);
  const height = placeRows(columns);
  const widths = columns.map((column) => Math.max(0, ...column.map(({ width }) => width)));
  const lefts = leftsOf(widths);
  const xOf = ({ column }: Cell) => lefts[column] ?? 0;
  const widthOf = (column: number) => widths[column] ?? 0;
  return {
    width: (lefts.at(-1) ?? 0) + widthOf(columns.length - 1),
    height,
    boxes: cells.map((cell, index) => ({ x: xOf(cell), y: cell.y, ...(boxes[index] ?? cell) })),
    edges: edges.map(([from, to], index) => {
      const [start, end] = [cells[from], cells[to]];
      if (start === undefined || end === undefined) return [];
      const between = (passages[index] ?? []).flatMap((cell) => [
        { x: xOf(cell), y: cell.y + cell.height / 2 },
        { x: xOf(cell) + widthOf(cell.column), y: cell.y + cell.height / 2 },
      ]);
      const middle = start.y + start.height / 2;
      return [
        { x: xOf(start) + start.width, y: middle },
        // Beside wider boxes of its column, an edge stays level.
        { x: xOf(start) + widthOf(start.column), y: middle },
        ...between,
        { x: xOf(end), y: end.y + end.height / 2 },
      ];
    }),
  };
}

function newCell(column: number, { width, height }: Box): Cell {
  return { column, width, height, before: [], after: [], y: 0, order: 0 };
}

/** The column of each box: one more than the greatest of those that it needs. */
function columnsOf(count: number, edges: readonly Edge[]): number[] {
  const columns = Array.from({ length: count }, () => 0);
  const open = Array.from({ length: count }, () => 0);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    after[from]?.push(to);
    open[to] = (open[to] ?? 0) + 1;
  }
  const ready = open.flatMap((needs, index) => (needs === 0 ? [index] : []));
  for (const from of ready) {
    for (const to of after[from] ?? []) {
      columns[to] = Math.max(columns[to] ?? 0, (columns[from] ?? 0) + 1);
      open[to] = (open[to] ?? 0) - 1;
      if (open[to] === 0) ready.push(to);
    }
  }
  return columns;
}

/** Connects cells, through the columns between them. The edges of one box share their passages. */
function connect(cells: readonly Cell[], edges: readonly Edge[], columns: readonly Cell[][]): (readonly Cell[])[] {
  const shared = new Map<string, Cell>();
  return edges.map(([from, to]) => {
    const [start, end] = [cells[from], cells[to]];
    if (start === undefined || end === undefined) return [];
    const passed: Cell[] = [];
    for (let column = start.column + 1; column < end.column && shared.size < MAX_PASSAGES; column++) {
      const key = `${from} ${column}`;
      const known = shared.get(key);
      const passage = known ?? newCell(column, { width: 0, height: 0 });
      if (known === undefined) {
        shared.set(key, passage);
        columns[column]?.push(passage);
        join(passed.at(-1) ?? start, passage);
      }
      passed.push(passage);
    }
    join(passed.at(-1) ?? start, end);
    return passed;
  });
}

function join(one: Cell, other: Cell): void {
  one.after.push(other);
  other.before.push(one);
}

/** Orders the cells of each column by the middle of their neighbours, column by column. */
function sortRows(columns: readonly Cell[][], isForward: boolean): void {
  for (const column of columns) number(column);
  for (const column of isForward ? columns : columns.toReversed()) {
    const middles = new Map(
      column.map((cell) => {
        const near = isForward ? cell.before : cell.after;
        const sum = near.reduce((total, { order }) => total + order, 0);
        return [cell, near.length === 0 ? cell.order : sum / near.length];
      }),
    );
    column.sort((one, other) => (middles.get(one) ?? 0) - (middles.get(other) ?? 0));
    number(column);
  }
}

function number(column: readonly Cell[]): void {
  for (const [order, cell] of column.entries()) cell.order = order;
}

/** Gives each cell its height on the page: near those that it needs, below the one above. Returns the height of all. */
function placeRows(columns: readonly Cell[][]): number {
  for (const column of columns) {
    let free = Number.NEGATIVE_INFINITY;
    let shift = 0;
    for (const cell of column) {
      const sum = cell.before.reduce((total, { y, height }) => total + y + height / 2, 0);
      const wanted = cell.before.length === 0 ? Math.max(free, 0) : sum / cell.before.length - cell.height / 2;
      cell.y = Math.max(wanted, free);
      shift += cell.y - wanted;
      free = cell.y + cell.height + ROW_GAP;
    }
    // A column that had to give way downwards gives way upwards as much.
    for (const cell of column) cell.y -= shift / column.length;
  }
  const cells = columns.flat();
  const top = cells.reduce((least, { y }) => Math.min(least, y), Number.POSITIVE_INFINITY);
  for (const cell of cells) cell.y = Math.round(cell.y - top);
  return cells.reduce((most, { y, height }) => Math.max(most, y + height), 0);
}

function leftsOf(widths: readonly number[]): number[] {
  let x = 0;
  return widths.map((width) => {
    const left = x;
    x += width + COLUMN_GAP;
    return left;
  });
}

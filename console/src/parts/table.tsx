// The one table: every view gives it its columns and rows.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export type Column<Row> = {
  name: string;
  /** Its name is only read aloud. */
  unnamed?: boolean;
  /** Where there is room for it: 0 = wide screens, 1 = middle ones too; without it, everywhere. */
  room?: 0 | 1;
  /** Aligned at the right. */
  number?: boolean;
  cell: (row: Row) => ComponentChildren;
  /** Further classes of its cells. */
  tone?: (row: Row) => string;
};

/** By which column, and whether the largest comes first. */
export type Sort = { column: number; down: boolean };

type Given<Row> = {
  /** What the table holds, for those who cannot see it. Unique on its page. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** What is the same row in the next reading. */
  id: (row: Row) => string | number;
  /** Classes of a row. */
  kind?: (row: Row) => string;
  /** Shown without rows. */
  empty: string;
  /** The rows are sorted like this; `onSort`: another order is wanted. */
  sort?: Sort;
  onSort?: (sort: Sort) => void;
};

function classes<Row>(column: Column<Row>, row?: Row): string | undefined {
  const all = [column.number && "number", column.room !== undefined && `room${column.room}`, row !== undefined && column.tone?.(row)];
  return all.filter(Boolean).join(" ") || undefined;
}

/** Scrolls by itself, also by keyboard: the page never gets wider than the screen. */
export function Table<Row>({ caption, columns, rows, id, kind, empty, sort, onSort }: Given<Row>) {
  const named = useId();
  if (rows.length === 0) return <p class="faint">{empty}</p>;
  return (
    <div class="scroll" role="region" aria-labelledby={named} tabIndex={0}>
      <table>
        <caption id={named} class="hidden">
          {caption}
        </caption>
        <thead>
          <tr>
            {columns.map((column, index) => (
              <Head column={column} index={index} sort={sort} onSort={onSort} key={index} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr class={kind?.(row)} key={id(row)}>
              {columns.map((column, index) => (
                <td class={classes(column, row)} key={index}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type Heading<Row> = { column: Column<Row>; index: number; sort: Sort | undefined; onSort: ((sort: Sort) => void) | undefined };

function Head<Row>({ column, index, sort, onSort }: Heading<Row>) {
  const here = sort?.column === index;
  const down = here && sort.down;
  return (
    <th scope="col" class={classes(column)} aria-sort={here ? (down ? "descending" : "ascending") : undefined}>
      {onSort ? (
        <button type="button" onClick={() => onSort({ column: index, down: here && !down })}>
          {column.name}
          <span aria-hidden="true">{here ? (down ? " ▾" : " ▴") : ""}</span>
        </button>
      ) : column.unnamed ? (
        <span class="hidden">{column.name}</span>
      ) : (
        column.name
      )}
    </th>
  );
}

/** What we read of a dashboard's JSON, and its variables filled in as Grafana would. */
import { type FieldConfigSource, rangeUtil, type TimeRange } from "@grafana/data";

export interface Target {
  expr?: string;
  rawSql?: string;
  format?: string;
  legendFormat?: string;
  refId: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: FieldConfigSource<Record<string, unknown>>;
  // Each panel type has its own; the component that gets them checks them.
  options?: any;
  targets?: Target[];
  transformations?: unknown[];
  maxDataPoints?: number;
}

export interface Annotation {
  name: string;
  enable: boolean;
  builtIn?: number;
  iconColor: string;
  expr?: string;
  target?: { rawSql?: string };
}

export interface Dashboard {
  title: string;
  panels: Panel[];
  annotations: { list: Annotation[] };
}

/** What fills a query's variables. */
export interface View {
  range: TimeRange;
  job: string;
  /** Interval between scrapes, as the data source's settings have it. */
  scrape: string;
}

/** Step of a query, as Grafana computes it from the range and the width of the panel. */
export function stepOf(view: View, points: number): number {
  return rangeUtil.calculateInterval(view.range, points, view.scrape).intervalMs;
}

function intervals(view: View, stepMs: number): Record<string, string> {
  const scrapeMs = rangeUtil.intervalToMs(view.scrape);
  const rateMs = Math.max(stepMs + scrapeMs, 4 * scrapeMs);
  return { __interval: `${stepMs}ms`, __rate_interval: `${rateMs}ms` };
}

/** Not $1: label_replace has those. */
const VARIABLE = /\$\{([a-z_]\w*)(?::\w+)?\}|\$([a-z_]\w*)/gi;

/** Fills variables; one that we do not know is an error, as it would be a wrong query. */
export function filled(text: string, view: View, stepMs: number): string {
  const known: Record<string, string> = { job: view.job, datasource: "", ledger: "", ...intervals(view, stepMs) };
  return text.replace(VARIABLE, (whole, braced: string | undefined, plain: string | undefined) => {
    const value = known[(braced ?? plain) as string];
    if (value === undefined) {
      throw new Error(`${whole} is not filled in`);
    }
    return value;
  });
}

/** Fills variables and the macro of the time range. */
export function filledSql(text: string, view: View): string {
  const between = (column: string) =>
    `${column} BETWEEN '${view.range.from.toISOString()}' AND '${view.range.to.toISOString()}'`;
  const ranged = text.replace(/\$__timeFilter\(([^)]*)\)/g, (_, column: string) => between(column));
  return filled(ranged, view, 0);
}

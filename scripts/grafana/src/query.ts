/** Asks Prometheus and the database, and makes the frames that Grafana's data sources make. */
import { type DataFrame, FieldType, type Labels, renderLegendFormat, toDataFrame } from "@grafana/data";

import { filled, filledSql, stepOf, type Annotation, type Panel, type Target, type View } from "./dashboard";

interface Series {
  metric: Labels;
  values?: [number, string][];
  value?: [number, string];
}

type Row = Record<string, string | number | null>;

async function json(answer: Response): Promise<any> {
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(text.slice(0, 300));
  }
  return JSON.parse(text);
}

async function prometheus(path: string, parameters: Record<string, string>): Promise<Series[]> {
  const body = new URLSearchParams(parameters);
  const answer = await json(await fetch(`/prometheus/api/v1/${path}`, { method: "POST", body }));
  return answer.data.result;
}

async function matrix(expr: string, view: View, stepMs: number): Promise<Series[]> {
  const step = stepMs / 1000;
  const aligned = (ms: number) => String(Math.floor(ms / 1000 / step) * step);
  const query = filled(expr, view, stepMs);
  return prometheus("query_range", {
    query,
    start: aligned(view.range.from.valueOf()),
    end: aligned(view.range.to.valueOf()),
    step: String(step),
  });
}

/** Values of a label now, numbers in their order. */
export async function labelValues(query: string, label: string): Promise<string[]> {
  const series = await prometheus("query", { query });
  const values = new Set(series.map((one) => one.metric[label] ?? ""));
  return [...values].sort((a, b) => Number(a) - Number(b));
}

/** The name without legendFormat. */
function ownName(labels: Labels): string {
  const { __name__: name = "", ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}="${value}"`);
  return pairs.length > 0 ? `${name}{${pairs.join(", ")}}` : name;
}

function framesOf(target: Target, series: Series[], stepMs: number): DataFrame[] {
  return series.map(({ metric, values = [] }) => {
    const legend = target.legendFormat;
    const name = legend && legend !== "__auto" ? renderLegendFormat(legend, metric) : ownName(metric);
    return toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: "Time", type: FieldType.time, config: { interval: stepMs }, values: values.map(([at]) => at * 1000) },
        {
          name: "Value",
          type: FieldType.number,
          labels: metric,
          config: { displayNameFromDS: name },
          values: values.map(([, value]) => Number(value)),
        },
      ],
    });
  });
}

async function sql(query: string): Promise<Row[]> {
  return json(await fetch("/sql", { method: "POST", body: query }));
}

function column(rows: Row[], name: string) {
  const isTime = name === "time";
  const raw = rows.map((row) => row[name]);
  const values = isTime ? raw.map((value) => Date.parse(String(value))) : raw;
  const number = raw.some((value) => typeof value === "number");
  return { name, type: isTime ? FieldType.time : number ? FieldType.number : FieldType.string, values };
}

/** A series for each value of the column `metric`, with its name, as the Postgres data source does. */
function seriesOf(target: Target, rows: Row[]): DataFrame[] {
  const value = Object.keys(rows[0] ?? {}).find((name) => name !== "time" && name !== "metric") ?? "value";
  const names = [...new Set(rows.map((row) => String(row["metric"] ?? value)))];
  return names.map((name) => {
    const own = rows.filter((row) => String(row["metric"] ?? value) === name);
    return toDataFrame({ refId: target.refId, fields: [column(own, "time"), { ...column(own, value), name }] });
  });
}

/** The frames of a panel that is so wide. */
export async function framesFor(panel: Panel, view: View, width: number): Promise<DataFrame[]> {
  const stepMs = stepOf(view, panel.maxDataPoints ?? Math.max(width, 1));
  const ask = async (target: Target): Promise<DataFrame[]> => {
    if (target.expr !== undefined) {
      return framesOf(target, await matrix(target.expr, view, stepMs), stepMs);
    }
    const rows = await sql(filledSql(target.rawSql ?? "", view));
    if (target.format === "time_series") {
      return seriesOf(target, rows);
    }
    const fields = Object.keys(rows[0] ?? {}).map((name) => column(rows, name));
    return fields.length > 0 ? [toDataFrame({ refId: target.refId, fields })] : [];
  };
  return (await Promise.all((panel.targets ?? []).map(ask))).flat();
}

/** When something happened, in ms; of what lasts, its beginning. */
export async function instants(annotation: Annotation, view: View): Promise<number[]> {
  if (annotation.expr !== undefined) {
    const stepMs = stepOf(view, 1000);
    const series = await matrix(annotation.expr, view, stepMs);
    return series.flatMap(({ values = [] }) =>
      values.filter(([at], index) => at - (values[index - 1]?.[0] ?? 0) > stepMs / 1000).map(([at]) => at * 1000),
    );
  }
  const query = annotation.target?.rawSql;
  return query === undefined ? [] : (await sql(filledSql(query, view))).map((row) => Date.parse(String(row["time"])));
}

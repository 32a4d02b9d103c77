/** Field configuration, applied by Grafana's own code. */
import {
  applyFieldOverrides,
  type DataFrame,
  type Field,
  FieldConfigOptionsRegistry,
  type FieldConfigSource,
  FieldType,
  type GrafanaTheme2,
} from "@grafana/data";

import type { Panel } from "./dashboard";

/** Properties that a panel's own code declares; the defaults are those of Grafana's panel "Time series". */
const SERIES = {
  drawStyle: "line",
  lineInterpolation: "linear",
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: "none",
  showPoints: "auto",
  pointSize: 5,
  spanNulls: false,
  axisPlacement: "auto",
  axisBorderShow: false,
  axisCenteredZero: false,
  axisColorMode: "text",
  barAlignment: 0,
  scaleDistribution: { type: "linear" },
  stacking: { mode: "none", group: "A" },
  hideFrom: { legend: false, tooltip: false, viz: false },
  thresholdsStyle: { mode: "off" },
  lineStyle: undefined,
  axisLabel: "",
  axisSoftMin: undefined,
  axisSoftMax: undefined,
};
const CELLS = { align: "auto", cellOptions: { type: "auto" }, inspect: false, width: undefined, hidden: undefined };
const STATES = { lineWidth: 0, fillOpacity: 70 };
const CUSTOM: Record<string, Record<string, unknown>> = { timeseries: SERIES, table: CELLS, "state-timeline": STATES };
const STANDARD = [
  "unit",
  "decimals",
  "min",
  "max",
  "fieldMinMax",
  "displayName",
  "noValue",
  "color",
  "thresholds",
  "mappings",
  "links",
  "filterable",
  "description",
];

/** As Grafana's panels declare them: what belongs to the axis of values does not apply to that of time. */
const VALUES_ONLY = ["min", "max", "decimals", "thresholds", "axisLabel", "axisSoftMin", "axisSoftMax"];

function registry(custom: Record<string, unknown>): FieldConfigOptionsRegistry {
  const found = new FieldConfigOptionsRegistry();
  const add = (id: string, path: string, isCustom: boolean) =>
    found.register({
      id,
      path,
      name: id,
      isCustom,
      editor: () => null,
      override: () => null,
      process: (value: unknown) => value,
      shouldApply: (field: Field) => !VALUES_ONLY.includes(path) || field.type === FieldType.number,
    } as never);
  STANDARD.forEach((name) => add(name, name, false));
  Object.keys(custom).forEach((name) => add(`custom.${name}`, name, true));
  return found;
}

/** JSON has no -Infinity: the lowest threshold's value is null there. */
function loaded(source: FieldConfigSource<Record<string, unknown>>, custom: Record<string, unknown>) {
  const copy = structuredClone(source);
  for (const step of copy.defaults.thresholds?.steps ?? []) {
    step.value ??= -Infinity;
  }
  copy.defaults.custom = { ...custom, ...copy.defaults.custom };
  for (const { properties } of copy.overrides) {
    for (const { id, value } of properties) {
      if (id === "thresholds") {
        value.steps.forEach((step: { value: number | null }) => (step.value ??= -Infinity));
      }
    }
  }
  return copy;
}

/** Units, thresholds, mappings, colours and overrides of a panel. An override that nothing reads is an error. */
export function configured(panel: Panel, frames: DataFrame[], theme: GrafanaTheme2) {
  const custom = CUSTOM[panel.type] ?? {};
  const fieldConfig = loaded(panel.fieldConfig ?? { defaults: {}, overrides: [] }, custom);
  const known = registry(custom);
  const ids = fieldConfig.overrides.flatMap(({ properties }) => properties.map(({ id }) => id));
  const names = Object.keys(fieldConfig.defaults.custom ?? {}).map((name) => `custom.${name}`);
  const unknown = [...ids, ...names].filter((id) => !known.getIfExists(id));
  if (unknown.length > 0) {
    throw new Error(`a panel of type ${panel.type} has no ${unknown.join(", ")}`);
  }
  const data = applyFieldOverrides({
    data: frames,
    fieldConfig,
    fieldConfigRegistry: known,
    replaceVariables: (text) => text,
    theme,
    timeZone: "utc",
  });
  return { data, fieldConfig };
}

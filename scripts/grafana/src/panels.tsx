/** Panels, drawn by Grafana's own components. */
import {
  type DataFrame,
  type Field,
  type FieldDisplay,
  FieldType,
  getDisplayValueAlignmentFactors,
  getFieldDisplayName,
  getFieldDisplayValues,
  renderTextPanelMarkdown,
  VizOrientation,
} from "@grafana/data";
import { BigValue, Table, TimeSeries, useTheme2, VizLayout, VizLegend, VizRepeater } from "@grafana/ui";
import type { VizLegendItem } from "@grafana/ui";

import type { Panel, View } from "./dashboard";
import { configured } from "./fields";

/** Instants at which a line is drawn. */
export interface Mark {
  at: number;
  color: string;
}

interface Size {
  width: number;
  height: number;
}

type Drawn = Size & { panel: Panel; frames: DataFrame[]; view: View; marks: Mark[] };

function Stat({ panel, frames, width, height }: Drawn) {
  const theme = useTheme2();
  const { data, fieldConfig } = configured(panel, frames, theme);
  const { reduceOptions, graphMode, colorMode, textMode, justifyMode, orientation } = panel.options;
  const values = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions,
      replaceVariables: (text) => text,
      theme,
      data,
      sparkline: graphMode !== "none",
      timeZone: "utc",
    });
  return (
    <VizRepeater
      getValues={values}
      getAlignmentFactors={(shown: FieldDisplay[]) => getDisplayValueAlignmentFactors(shown)}
      renderValue={({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline}
          {...{ width, height, count, alignmentFactors, colorMode, graphMode, textMode, justifyMode, theme }}
        />
      )}
      {...{ width, height, source: frames, renderCounter: 0, itemSpacing: 3, autoGrid: true }}
      orientation={orientation === "auto" ? VizOrientation.Auto : orientation}
    />
  );
}

/** As Grafana's panel does before it draws: what is not finite is a gap. */
function finite(frames: DataFrame[]): DataFrame[] {
  const gaps = (values: unknown[]) => values.map((value) => (Number.isFinite(value) ? value : null));
  const cleared = (field: Field) =>
    field.type === FieldType.number ? { ...field, values: gaps(field.values) } : field;
  return frames.map((frame) => ({ ...frame, fields: frame.fields.map(cleared) }));
}

function Lines({ panel, frames, view, marks, width, height }: Drawn) {
  const theme = useTheme2();
  const { data } = configured(panel, finite(frames), theme);
  return (
    <TimeSeries
      frames={data}
      timeRange={view.range}
      timeZone="utc"
      legend={panel.options.legend}
      {...{ width, height }}
    >
      {(builder) => {
        builder.addHook("draw", (plot) => {
          for (const { at, color } of marks) {
            const x = plot.valToPos(at, "x", true);
            plot.ctx.save();
            plot.ctx.strokeStyle = theme.visualization.getColorByName(color);
            plot.ctx.setLineDash([4, 4]);
            plot.ctx.beginPath();
            plot.ctx.moveTo(x, plot.bbox.top);
            plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
            plot.ctx.stroke();
            plot.ctx.restore();
          }
        });
        return null;
      }}
    </TimeSeries>
  );
}

function Rows({ panel, frames, width, height, view }: Drawn) {
  const theme = useTheme2();
  const { data, fieldConfig } = configured(panel, frames, theme);
  const { cellHeight, showHeader } = panel.options;
  return (
    <Table
      data={data[0] as DataFrame}
      {...{ width, height, cellHeight, fieldConfig, timeRange: view.range }}
      noHeader={!showHeader}
      showTypeIcons={false}
    />
  );
}

/** Grafana's packages have no component for it: bars by our own hand, colours and legend by Grafana's code. */
function States({ panel, frames, view, width, height }: Drawn) {
  const theme = useTheme2();
  const { data } = configured(panel, frames, theme);
  const from = view.range.from.valueOf();
  const span = view.range.to.valueOf() - from;
  const items = new Map<string, VizLegendItem>();
  const series = data.flatMap((frame) => {
    const times = frame.fields.find((field) => field.type === FieldType.time);
    return frame.fields.filter((field) => field.type !== FieldType.time).map((field) => ({ frame, field, times }));
  });
  const bars = series.map(({ frame, field, times }) => {
    const step = times?.config.interval ?? span;
    const cells = field.values.map((value, index) => {
      const shown = field.display?.(value);
      const label = shown?.text ?? "";
      items.set(label, { label, color: shown?.color ?? "transparent", yAxis: 1 });
      return { left: Math.max(0, (times?.values[index] - from) / span), width: step / span, color: shown?.color };
    });
    return { name: getFieldDisplayName(field, frame, data), cells };
  });
  const { showLegend, displayMode, placement } = panel.options.legend;
  const legend = showLegend ? (
    <VizLayout.Legend placement={placement}>
      <VizLegend items={[...items.values()]} {...{ displayMode, placement }} />
    </VizLayout.Legend>
  ) : null;
  return (
    <VizLayout width={width} height={height} legend={legend}>
      {(inner, tall) => (
        <svg width={inner} height={tall}>
          {bars.map(({ name, cells }, row) => (
            <g key={name} transform={`translate(150 ${(row * tall) / bars.length})`}>
              <text
                x={-8}
                y={tall / bars.length / 2}
                dy={4}
                fontSize={12}
                textAnchor="end"
                fill={theme.colors.text.primary}
              >
                {name}
              </text>
              {cells.map(({ left, width: part, color }, index) => (
                <rect
                  key={index}
                  x={left * (inner - 150)}
                  width={part * (inner - 150)}
                  y={tall / bars.length / 20}
                  height={(tall / bars.length) * 0.9}
                  fill={color}
                  fillOpacity={0.7}
                />
              ))}
            </g>
          ))}
        </svg>
      )}
    </VizLayout>
  );
}

function Text({ panel, width, height }: Drawn) {
  const content = { __html: renderTextPanelMarkdown(panel.options.content) };
  return (
    <div className="markdown-html" style={{ width, height, overflow: "auto" }} dangerouslySetInnerHTML={content} />
  );
}

const TYPES: { [type: string]: ((drawn: Drawn) => React.ReactNode) | undefined } = {
  stat: Stat,
  timeseries: Lines,
  table: Rows,
  "state-timeline": States,
  text: Text,
};

/** What draws panels of a type; a type that we do not know is an error. */
export function drawn(panel: Panel): (drawn: Drawn) => React.ReactNode {
  const found = TYPES[panel.type];
  if (found === undefined) {
    throw new Error(`a panel of type ${panel.type} is not drawn`);
  }
  if ((panel.transformations ?? []).length > 0) {
    throw new Error(`${panel.title}: transformations are not drawn`);
  }
  return found;
}

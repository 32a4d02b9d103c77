/** One dashboard, as Grafana lays it out; `window.drawn` says what each panel had once everything is there. */
import { createTheme, type DataFrame, dateTime, ThemeContext } from "@grafana/data";
import { GlobalStyles, PanelChrome } from "@grafana/ui";
import { Component, type ReactNode } from "react";
import { createRoot } from "react-dom/client";

import type { Dashboard, Panel, View } from "./dashboard";
import { drawn, type Mark } from "./panels";
import { framesFor, instants, labelValues } from "./query";

interface Report {
  title: string;
  type: string;
  series: number;
  error: string | null;
  /** Whether a text is longer than its panel. */
  cut: boolean;
}

declare global {
  interface Window {
    drawn?: { title: string; panels: Report[] };
    jobs?: string[];
  }
}

/** Grafana's grid: 24 columns, cells of 30 px with 8 px between them. */
const GRID = { columns: 24, cell: 30, gap: 8, width: 1568 };
const COLUMN = (GRID.width - GRID.gap * (GRID.columns - 1)) / GRID.columns;

function place({ gridPos: { x, y, w, h } }: Panel) {
  return {
    left: x * (COLUMN + GRID.gap),
    top: y * (GRID.cell + GRID.gap),
    width: w * COLUMN + (w - 1) * GRID.gap,
    height: h * GRID.cell + (h - 1) * GRID.gap,
  };
}

class Caught extends Component<{ report: Report; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override componentDidCatch(error: Error) {
    this.props.report.error = error.message;
  }
  override render() {
    return this.state.failed ? <pre>{this.props.report.error}</pre> : this.props.children;
  }
}

interface Filled {
  panel: Panel;
  frames: DataFrame[];
  report: Report;
}

async function fill(panel: Panel, view: View): Promise<Filled> {
  const report: Report = { title: panel.title, type: panel.type, series: 0, error: null, cut: false };
  try {
    const frames = await framesFor(panel, view, Math.floor(place(panel).width));
    report.series = frames.length;
    return { panel, frames, report };
  } catch (error) {
    report.error = String(error);
    return { panel, frames: [], report };
  }
}

function Chrome({ panel, frames, report, view, marks }: Filled & { view: View; marks: Mark[] }) {
  const { left, top, width, height } = place(panel);
  if (panel.type === "row") {
    return <h5 style={{ position: "absolute", left, top, margin: "6px 8px" }}>⌄ {panel.title}</h5>;
  }
  const empty = panel.type !== "text" && frames.every((frame) => frame.length === 0);
  const Draw = drawn(panel);
  return (
    <div style={{ position: "absolute", left, top }} data-panel={panel.id}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(width, height) => (
          <Caught report={report}>
            {report.error !== null ? (
              <pre>{report.error}</pre>
            ) : empty ? (
              <div style={{ width, height, display: "grid", placeItems: "center" }}>No data</div>
            ) : (
              <Draw {...{ panel, frames, view, marks, width, height }} />
            )}
          </Caught>
        )}
      </PanelChrome>
    </div>
  );
}

async function main() {
  const parameters = new URLSearchParams(location.search);
  const theme = createTheme({ colors: { mode: parameters.get("theme") === "light" ? "light" : "dark" } });
  const [from, to] = ["from", "to"].map((name) => dateTime(Number(parameters.get(name))));
  if (!from || !to) {
    throw new Error("no range");
  }
  const range = { from, to, raw: { from, to } };
  const view: View = { range, job: parameters.get("job") ?? "1", scrape: parameters.get("scrape") ?? "15s" };
  window.jobs = await labelValues("lgi_mm_job_info", "job_id");
  const dashboard: Dashboard = await (await fetch(`/dashboards/${parameters.get("dashboard")}.json`)).json();
  const filled = await Promise.all(dashboard.panels.map((panel) => fill(panel, view)));
  const shown = (dashboard.annotations?.list ?? []).filter((one) => one.enable && !one.builtIn);
  const lines = await Promise.all(
    shown.map(async (one) => {
      const report: Report = { title: one.name, type: "annotation", series: 0, error: null, cut: false };
      const found = await instants(one, view).catch((error: unknown) => {
        report.error = String(error);
        return [];
      });
      report.series = found.length;
      return { report, marks: found.map((at) => ({ at, color: one.iconColor })) };
    }),
  );
  const marks = lines.flatMap((one) => one.marks);
  const height = Math.max(...dashboard.panels.map((panel) => place(panel).top + place(panel).height));
  createRoot(document.getElementById("page") as HTMLElement).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ padding: 16 }}>
        <h4>{dashboard.title}</h4>
        <div style={{ position: "relative", width: GRID.width, height }}>
          {filled.map((one) => (
            <Chrome key={`${one.panel.id} ${one.panel.title}`} {...one} view={view} marks={marks} />
          ))}
        </div>
      </div>
    </ThemeContext.Provider>,
  );
  // Charts draw in the frames after their first; what they throw is in the report by then.
  setTimeout(() => {
    for (const { panel, report } of filled) {
      const text = document.querySelector(`[data-panel="${panel.id}"] .markdown-html`);
      report.cut = text !== null && text.scrollHeight > text.clientHeight;
    }
    const panels = [...filled.filter(({ panel }) => panel.type !== "row"), ...lines].map(({ report }) => report);
    window.drawn = { title: dashboard.title, panels };
  }, 1500);
}

main().catch((error: unknown) => {
  const panels = [{ title: "the page", type: "page", series: 0, error: String(error), cut: false }];
  window.drawn = { title: document.title, panels };
});

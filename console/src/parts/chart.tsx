import {
  AreaSeries,
  createChart,
  createSeriesMarkers,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";

import type { Job, Prices, Trade } from "../api/client";
import { price } from "./format";
import { useDark } from "./hooks";

type Line = { at: string; title: string; color: string };
type Drawn = {
  chart: IChartApi;
  series: ISeriesApi<"Area">;
  /** Trades stand at their own time and price, whether or not a price was kept then. */
  trades: ISeriesApi<"Line">;
  markers: ISeriesMarkersPluginApi<Time>;
};

const LIGHT = { text: "#45525c", grid: "#e7ebee", line: "#0b6e63", fill: "rgba(11,110,99,.16)", buy: "#1a7f37", sell: "#b3261e", own: "#8250df", rule: "#9a6700" };
const DARK = { text: "#a9b6c0", grid: "#263039", line: "#4fd1c0", fill: "rgba(79,209,192,.16)", buy: "#56d364", sell: "#ff8a80", own: "#c297ff", rule: "#e3b341" };

/** Prices that something happens at, and what the position cost. */
function lines(job: Job, colors: typeof LIGHT): Line[] {
  const { next } = job;
  const rules: [string | null | undefined, string][] = [
    [next.dip_buy?.at_or_below_usd, "dip buy"],
    [next.take_profit?.trails?.at_or_below_usd ?? next.take_profit?.at_or_above_usd, "take profit"],
    [next.trailing_arms_at_usd, "arms trailing stop"],
    [next.spread?.buys_below_usd ?? next.rebalance?.buys_below_usd, "buys below"],
    [next.spread?.sells_above_usd ?? next.rebalance?.sells_above_usd, "sells above"],
    [next.order?.at_usd, "order"],
    ...next.stops.map((stop): [string, string] => [stop.at_or_below_usd, stop.armed ? "stop" : "no buys below"]),
  ];
  const own = job.average_cost_usd ? [{ at: job.average_cost_usd, title: "average cost", color: colors.own }] : [];
  return own.concat(rules.flatMap(([at, title]) => (at ? [{ at, title, color: colors.rule }] : [])));
}

const seconds = (time: string) => Math.trunc(new Date(time).getTime() / 1_000) as UTCTimestamp;

/** One point a second, in order, as the chart wants it. */
function points(prices: Prices): { time: UTCTimestamp; value: number }[] {
  const bySecond = new Map(prices.points.map((point) => [seconds(point.at), Number(point.price_usd)]));
  return [...bySecond].map(([time, value]) => ({ time, value })).sort((one, other) => one.time - other.time);
}

/** How fine the axis is: six significant digits of such a price. */
function format(value: number) {
  const digits = Math.min(15, Math.max(0, 6 - Math.floor(Math.log10(value))));
  return {
    type: "custom" as const,
    minMove: Number(`1e-${digits}`),
    base: Number(`1e${digits}`),
    formatter: (shown: number) => price(shown.toPrecision(12)),
  };
}

/** Executed trades as points, and the arrow at each. */
function marks(trades: Trade[], prices: Prices, colors: typeof LIGHT) {
  const from = seconds(prices.from);
  const bySecond = new Map<UTCTimestamp, Trade>();
  for (const trade of trades) {
    const time = seconds(trade.executed_at ?? trade.created_at);
    if (trade.status === "EXECUTED" && time >= from) bySecond.set(time, trade);
  }
  const done = [...bySecond].sort(([one], [other]) => one - other);
  const arrows = done.map(([time, trade]): SeriesMarker<Time> => {
    const buy = trade.side === "BUY";
    return {
      time,
      position: buy ? "belowBar" : "aboveBar",
      shape: buy ? "arrowUp" : "arrowDown",
      color: buy ? colors.buy : colors.sell,
      size: 0.8,
    };
  });
  return { places: done.map(([time, trade]) => ({ time, value: Number(trade.price_usd) })), arrows };
}

function draw(element: HTMLElement, colors: typeof LIGHT, zone: string): Drawn {
  const clock = (time: Time, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat("en-CA", { ...options, hourCycle: "h23", timeZone: zone }).format(Number(time) * 1_000);
  const chart = createChart(element, {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colors.text, attributionLogo: false, fontFamily: "inherit" },
    grid: { vertLines: { visible: false }, horzLines: { color: colors.grid } },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.14, bottom: 0.12 } },
    timeScale: {
      borderVisible: false,
      timeVisible: true,
      secondsVisible: false,
      tickMarkFormatter: (time: Time, kind: number) =>
        clock(time, kind < 3 ? { month: "2-digit", day: "2-digit" } : { hour: "2-digit", minute: "2-digit" }),
    },
    localization: {
      priceFormatter: (value: number) => price(value.toPrecision(12)),
      timeFormatter: (time: Time) => clock(time, { dateStyle: "short", timeStyle: "long" }),
    },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  const series = chart.addSeries(AreaSeries, {
    lineColor: colors.line,
    topColor: colors.fill,
    bottomColor: "transparent",
    lineWidth: 2,
  });
  const trades = chart.addSeries(LineSeries, {
    lineVisible: false,
    pointMarkersVisible: false,
    crosshairMarkerVisible: false,
    lastValueVisible: false,
    priceLineVisible: false,
  });
  return { chart, series, trades, markers: createSeriesMarkers(trades, []) };
}

/** The price over time, with trades, the average cost and the prices that rules wait for. */
export function Chart({ job, prices, trades }: { job: Job; prices: Prices; trades: Trade[] }) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const dark = useDark();
  const colors = dark ? DARK : LIGHT;
  useEffect(() => {
    if (!place.current) return undefined;
    const fresh = draw(place.current, colors, job.timezone);
    drawn.current = fresh;
    return () => {
      drawn.current = null;
      fresh.chart.remove();
    };
  }, [dark, job.timezone]);
  useEffect(() => {
    const now = drawn.current;
    if (!now) return undefined;
    const drawnPoints = points(prices);
    now.series.setData(drawnPoints);
    now.series.applyOptions({ priceFormat: format(drawnPoints.at(-1)?.value ?? 1) });
    const { places, arrows } = marks(trades, prices, colors);
    now.trades.setData(places);
    now.markers.setMarkers(arrows);
    const added = lines(job, colors).map(({ at, title, color }) =>
      now.series.createPriceLine({ price: Number(at), title, color, lineStyle: LineStyle.Dashed, lineWidth: 1, axisLabelVisible: true }),
    );
    return () => {
      // The chart may be gone by now, and its lines with it.
      if (drawn.current === now) for (const line of added) now.series.removePriceLine(line);
    };
  }, [job, prices, trades, dark]);
  useEffect(() => drawn.current?.chart.timeScale().fitContent(), [prices, dark]);
  const summary = `${prices.points.length} prices since ${prices.from}; the last is ${price(job.price_usd)} USD`;
  return <div class="chart" ref={place} role="img" aria-label={`Price of ${job.symbol}: ${summary}`} />;
}

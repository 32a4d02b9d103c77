"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { points, trades, holds } = data;
  const byId = (id) => document.getElementById(id);
  const small = () => innerWidth <= 560;
  const first = data.from, last = Math.max(data.to, data.from + 1);

  // ---- numbers and times, for people
  const usd = (value) => value == null ? "-" : value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const price = (value) => value == null ? "-" : value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
  const compact = (value) => value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(2).replace(/\.?0+e/, "e")
    : Math.abs(value) >= 10000
      ? value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 })
      : value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
  const percent = (value) => value == null ? "-" : `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)} %`;
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // ---- the series, each once: how it is drawn, and what it reads at an instant
  const column = (name, factor = 1) => points.t.map((t, i) => [t * 1000, points[name][i] == null ? null : factor * points[name][i]]);
  const line = (name, tint, values, more = {}) => ({ kind: "line", name, tint, values, read: usd, ...more });
  // The library rounds axes to ten digits after the point: very small prices are drawn larger, and named as they are.
  const top = points.price.reduce((most, value) => Math.max(most, value), 0);
  const lift = top > 0 && top < 0.001 ? 10 ** -Math.floor(Math.log10(top)) : 1;
  const total = points.value.map((value, i) => value + points.cash[i]);
  const hasCash = points.cash.some((value) => value > 0);
  const LOOK = {
    DCA: ["buy", "circle", 7], DIP_BUY: ["buy-2", "triangle", 11], SPREAD_BUY: ["buy-2", "triangle", 10],
    TAKE_PROFIT: ["sell", "triangle", 11], STOP_LOSS: ["sell-2", "pin", 14], TRAILING_STOP: ["sell", "pin", 14], SPREAD_SELL: ["sell-2", "triangle", 10], "REBALANCE buy": ["buy-3", "diamond", 10],
    "REBALANCE sell": ["other", "diamond", 10], MARKET_ORDER: ["buy", "diamond", 10], LIMIT_ORDER: ["buy-2", "diamond", 10],
    STOP_ORDER: ["sell-2", "pin", 14], TRAILING_ORDER: ["sell", "pin", 14], LIQUIDATE: ["sell-2", "rect", 9],
  };
  // The rules' own order, so that two reports have the same legend. A rule without a look of its own comes last.
  const ORDER = Object.keys(LOOK);
  const place = (kind) => kind in LOOK ? ORDER.indexOf(kind) : ORDER.length;
  const side = (i) => trades.sell[i] === 1 ? "sell" : "buy";
  const key = (i) => { const reason = data.reasons[trades.reason[i]]; return reason === "REBALANCE" ? `REBALANCE ${side(i)}` : reason; };
  const rule = (i) => { const words = data.rules[trades.reason[i]]; return key(i).startsWith("REBALANCE ") ? `${words} ${side(i)}` : words; };
  const kinds = new Map();
  trades.t.forEach((t, i) => {
    const kind = key(i);
    if (!kinds.has(kind)) {
      const [tint, symbol, size] = LOOK[kind] ?? [side(i) === "sell" ? "sell" : "buy", "triangle", 10];
      kinds.set(kind, { kind: "trades", name: rule(i), tint, symbol, size, sell: trades.sell[i] === 1, values: [] });
    }
    kinds.get(kind).values.push([t * 1000, lift * trades.price[i]]);
  });
  const PLANS = { "Lump sum": "lump", "Equal DCA": "equal", "Hold at target": "held" };
  const ARMED = { "Stop armed": "loss", "Trailing stop armed": "out", "Take profit follows": "gain" };
  const level = (name, tint, value, more) => line(name, tint, points.t.map((t) => [t * 1000, value]), { at: () => value, read: percent, ...more });
  const [target, band] = data.target ?? [];
  const charts = [
    { id: "price", lift, series: [
      line("Price", "price", column("price", lift), { at: (i) => points.price[i], read: price }),
      line("Average cost", "cost", column("avg", lift), { at: (i) => points.avg[i], read: price, step: true, dash: [6, 4] }),
      ...(points.ma.some((value) => value != null)
        ? [line("Moving average", "out", column("ma", lift), { at: (i) => points.ma[i], read: price, dash: [2, 3] })] : []),
      ...(points.stop.some((value) => value != null)
        ? [line("Stop", "loss", column("stop", lift), { at: (i) => points.stop[i], read: price, step: true, dash: [3, 3] })] : []),
      ...data.armed.map((armed) => ({ kind: "armed", name: armed.name, tint: ARMED[armed.name] ?? "other", ranges: armed.ranges })),
      ...[...kinds].sort(([a], [b]) => place(a) - place(b)).map(([, series]) => series),
    ] },
    { id: "value", series: [
      line("Value held", "value", column("value"), { at: (i) => points.value[i], area: 0.14 }),
      ...(hasCash ? [line("Value and cash", "out", points.t.map((t, i) => [t * 1000, total[i]]), { at: (i) => total[i] })] : []),
      ...data.plans.map((plan) => line(plan.name, PLANS[plan.name] ?? "other", points.t.map((t, i) => [t * 1000, plan.values[i]]),
        { at: (i) => plan.values[i], dash: [8, 4] })),
      line("Money in", "money", column("money"), { at: (i) => points.money[i], step: true, dash: [4, 3] }),
    ] },
    { id: "drawdown", zero: true, unit: " %", series: [
      line("Below the earlier peak", "loss", column("dd", -1), { at: (i) => 0 - points.dd[i], area: 0.2, read: percent }),
    ] },
    { id: "holds", share: true, unit: " %", series: [] },
    ...(byId("chart-share") ? [{ id: "share", unit: " %", series: [
      line("Tokens", "value", column("share"), { at: (i) => points.share[i], read: percent }),
      level("Target", "cost", target, { dash: [6, 4] }),
      level("Rebalanced above", "loss", Math.min(100, target + band), { dash: [2, 3] }),
      level("Rebalanced below", "loss", Math.max(0, target - band), { dash: [2, 3] }),
    ] }] : []),
  ];
  const hidden = new Set();
  // Ticks at which no rule fired are most of them; what stopped a rule shows better without them.
  const QUIET = ["not due", "in balance"];
  if (holds.reasons.length > 1) for (const quiet of QUIET) hidden.add(`holds:${quiet}`);
  let zoom = [0, 100];
  const range = () => zoom.map((part) => first + (last - first) * part / 100);

  // ---- hold reasons: the runs that overlap the visible range, counted into columns
  const ranked = holds.reasons.slice(0, 7);
  const others = holds.reasons.length > ranked.length;
  const words = (reason) => reason.replaceAll("_", " ");
  const holdNames = (others ? [...ranked, "others"] : ranked).map(words);
  // Grey for ticks at which no rule fired, whatever their rank.
  let tint = 0;
  const holdTints = holdNames.map((name) => QUIET.includes(name) ? "h0" : `h${tint = tint % 7 + 1}`);
  function countHolds(width) {
    const [from, to] = range();
    const columns = Math.max(24, Math.min(160, Math.floor(width / 8)));
    const step = (to - from) / columns;
    const counts = holdNames.map(() => new Float64Array(columns));
    for (let i = 0; i < holds.runs.length; i += 4) {
      const [reason, start, end, ticks] = holds.runs.slice(i, i + 4);
      const stop = ticks > 1 ? end + (end - start) / (ticks - 1) : end + 1;
      if (stop <= from || start >= to) continue;
      const row = counts[Math.min(reason, holdNames.length - 1)];
      const begin = Math.max(0, Math.floor((start - from) / step)), finish = Math.min(columns - 1, Math.floor((stop - from) / step));
      for (let c = begin; c <= finish; c += 1) {
        const overlap = Math.min(stop, from + (c + 1) * step) - Math.max(start, from + c * step);
        if (overlap > 0) row[c] += ticks * overlap / (stop - start);
      }
    }
    const sums = new Float64Array(columns);
    counts.forEach((row) => row.forEach((value, c) => { sums[c] += value; }));
    const share = (r, c) => sums[c] > 0 ? 100 * counts[r][c] / sums[c] : null;
    return { from, step, columns, share };
  }
  function holdSeries(width) {
    const counted = countHolds(width);
    charts[3].counted = counted;
    charts[3].series = holdNames.map((name, r) => ({
      kind: "line", name, tint: holdTints[r], stack: true, area: 0.85, read: percent,
      // Both ends of each column; stacking looks values up by their instant, so no two may be the same.
      values: Array.from({ length: 2 * counted.columns }, (_, i) => [(counted.from + Math.ceil(i / 2) * counted.step) * 1000 - i % 2, counted.share(r, i >> 1)]),
    }));
  }

  // ---- drawing
  /** Of markers that would lie on each other, within two pixels, the first; of those out of sight none. */
  function markers(series) {
    if (series.values.length < 1000) return series.values;
    const [from, to] = range(), across = 600 / (to - from), up = 200 / priceSpan, taken = new Set();
    return series.values.filter(([time, value]) => {
      const x = Math.floor((time / 1000 - from) * across), spot = `${x} ${Math.floor(value * up)}`;
      if (x < 0 || x > 600 || taken.has(spot)) return false;
      taken.add(spot);
      return true;
    });
  }
  const priceSpan = lift * (top - points.price.reduce((least, value) => Math.min(least, value), top)) || 1;
  function seriesOption(series) {
    const tint = color(series.tint);
    if (series.kind === "trades") {
      return { type: "scatter", id: series.name, name: series.name, data: markers(series), symbol: series.symbol, symbolSize: series.size,
        symbolRotate: series.sell && series.symbol === "triangle" ? 180 : 0, z: 5, cursor: "default",
        itemStyle: { color: tint, borderColor: color("card"), borderWidth: 1 }, emphasis: { disabled: true } };
    }
    if (series.kind === "armed") {
      // From arming to firing, or to what else ended it; what fired has an edge.
      const edge = (fired) => ({ color: tint, opacity: 0.1, borderColor: tint, borderWidth: fired ? 1 : 0 });
      return { type: "line", id: series.name, name: series.name, data: [], silent: true, z: 0,
        markArea: { silent: true, data: series.ranges.map(([from, to, fired]) => [{ xAxis: from * 1000, itemStyle: edge(fired) }, { xAxis: to * 1000 }]) } };
    }
    return { type: "line", id: series.name, name: series.name, data: series.values, showSymbol: false, silent: true, z: series.step ? 3 : 2,
      step: series.step ? "end" : false, stack: series.stack ? "all" : undefined, connectNulls: false,
      lineStyle: { color: tint, width: series.stack ? 0 : series.name === "Price" ? 1.6 : 1.8, type: series.dash ?? "solid" },
      itemStyle: { color: tint }, areaStyle: series.area ? { color: tint, opacity: series.area } : undefined, emphasis: { disabled: true } };
  }
  function option(chart) {
    const muted = color("muted"), left = small() ? 46 : 62, main = chart.id === "price";
    const shown = chart.series.filter((series) => !hidden.has(`${chart.id}:${series.name}`));
    const slider = { type: "slider", start: zoom[0], end: zoom[1], height: 26, bottom: 6, left, right: 14, brushSelect: false,
      showDetail: false, borderColor: color("line"), fillerColor: `${color("price")}22`, backgroundColor: "transparent",
      dataBackground: { lineStyle: { color: muted, opacity: 0.5 }, areaStyle: { color: muted, opacity: 0.12 } },
      selectedDataBackground: { lineStyle: { color: color("price"), opacity: 0.6 }, areaStyle: { color: color("price"), opacity: 0.12 } },
      handleStyle: { color: color("card"), borderColor: muted }, moveHandleStyle: { color: muted, opacity: 0.4 }, moveHandleSize: 5,
      handleSize: small() ? "130%" : "100%", minValueSpan: data.span_min * 1000, filterMode: "filter" };
    const inside = { type: "inside", start: zoom[0], end: zoom[1], zoomOnMouseWheel: "ctrl", moveOnMouseMove: true,
      moveOnMouseWheel: false, preventDefaultMouseMove: false, minValueSpan: data.span_min * 1000, filterMode: chart.share ? "none" : "filter" };
    return {
      animation: false, useUTC: true, backgroundColor: "transparent", textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left, right: 14, top: 10, bottom: main ? 62 : 24 },
      xAxis: { type: "time", min: first * 1000, max: last * 1000, splitNumber: small() ? 4 : 8, axisLine: { lineStyle: { color: color("line") } },
        axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: muted, hideOverlap: true, fontSize: 11.5 } },
      yAxis: { type: "value", scale: !chart.zero, min: chart.share ? 0 : undefined, max: chart.share ? (top) => top.max > 80 ? 100 : null : chart.zero ? 0 : undefined,
        splitNumber: main || chart.share ? 5 : 3, splitLine: { lineStyle: { color: color("grid") } },
        axisLabel: { color: muted, fontSize: 11.5, formatter: (value) => `${compact(value / (chart.lift ?? 1))}${chart.unit ?? ""}` } },
      dataZoom: main ? [inside, slider] : [inside],
      series: shown.map(seriesOption),
    };
  }
  function draw(chart) {
    if (chart.share) holdSeries(byId("chart-holds").clientWidth);
    chart.view.setOption(option(chart), { notMerge: true, lazyUpdate: false });
  }
  // What depends on the range that is seen: hold reasons are counted again, hidden markers come out.
  function redraw() {
    holdSeries(byId("chart-holds").clientWidth);
    const visible = (chart) => chart.series.filter((series) => !hidden.has(`${chart.id}:${series.name}`));
    charts[3].view.setOption({ series: visible(charts[3]).map(seriesOption) });
    const crowded = visible(charts[0]).filter((series) => series.kind === "trades" && series.values.length >= 1000);
    if (crowded.length) charts[0].view.setOption({ series: crowded.map((series) => ({ id: series.name, data: markers(series) })) });
  }
  const drawAll = () => { charts.forEach(draw); charts.forEach(legend); tell(null); };

  // ---- legends: each name toggles its series, and shows what it reads under the pointer
  function swatch(series) {
    const shape = { triangle: series.sell ? "M1 2h10L6 11z" : "M1 10h10L6 1z", diamond: "M6 0l6 6-6 6-6-6z", rect: "M1 1h10v10H1z" }[series.symbol];
    const tint = color(series.tint);
    const inner = series.kind === "armed" ? `<rect width="14" height="12" fill="${tint}" opacity="0.25"/>` : series.kind === "line" && !series.stack
      ? `<path d="M0 6h14" stroke="${tint}" stroke-width="2.4" stroke-dasharray="${series.dash ? "4 2.4" : ""}"/>`
      : series.stack ? `<rect width="12" height="12" rx="3" fill="${tint}"/>`
        : shape ? `<path d="${shape}" fill="${tint}"/>` : `<circle cx="6" cy="6" r="4.4" fill="${tint}"/>`;
    const holder = document.createElement("span");
    holder.innerHTML = `<svg width="14" height="12" viewBox="0 0 14 12" aria-hidden="true">${inner}</svg>`;
    return holder.firstChild;
  }
  function legend(chart) {
    const box = byId(`legend-${chart.id}`);
    box.replaceChildren(...chart.series.map((series, index) => {
      const key = `${chart.id}:${series.name}`, button = document.createElement("button"), value = document.createElement("b");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden.has(key)));
      button.append(swatch(series), series.name, value);
      if (series.kind === "trades") value.textContent = series.values.length.toLocaleString("en-US");
      if (series.kind === "armed") value.textContent = series.ranges.length.toLocaleString("en-US");
      if (chart.share) button.title = holds.explain[holds.reasons.findIndex((reason) => words(reason) === series.name)] ?? "The rarer reasons together.";
      series.value = value;
      button.onclick = () => {
        hidden.has(key) ? hidden.delete(key) : hidden.add(key);
        draw(chart); legend(chart); tell(null);
        box.children[index].focus();
      };
      return button;
    }));
  }

  // ---- the pointer: one instant for all charts
  /** Index of the last element of ascending `list` that is at most `value`; -1 if none is. */
  function search(list, value) {
    let low = 0, high = list.length;
    while (low < high) { const middle = (low + high) >> 1; if (list[middle] <= value) low = middle + 1; else high = middle; }
    return low - 1;
  }
  function reading(chart, series, time, index) {
    if (chart.share) {
      const { from, step, columns, share } = chart.counted;
      return share(holdNames.indexOf(series.name), Math.max(0, Math.min(columns - 1, Math.floor((time - from) / step))));
    }
    return series.at(index);
  }
  function tell(time) {
    const at = time ?? last, index = Math.max(0, search(points.t, at));
    for (const chart of charts) for (const series of chart.series) {
      if (series.kind === "line" && series.value && points.t.length) series.value.textContent = time == null && chart.share ? "" : series.read(reading(chart, series, at, index));
    }
    return index;
  }
  function tradeLines(time, reach) {
    const from = search(trades.t, time - reach) + 1, to = search(trades.t, time + reach);
    const lines = [];
    for (let i = from; i <= to && lines.length < 3; i += 1) {
      const div = document.createElement("div");
      div.className = "trade";
      const gain = trades.sell[i] === 1 ? `, realised ${trades.realised[i]}` : "";
      div.textContent = `${moment(trades.t[i]).slice(5, 16)} ${rule(i)}: ${trades.sell[i] === 1 ? "sold" : "bought"} for ${trades.usd[i]} USD at ${price(trades.price[i])} (fill ${trades.fill[i]}), ${trades.tokens[i]} tokens${gain}`;
      lines.push(div);
    }
    if (to - from + 1 > lines.length) {
      const more = document.createElement("div");
      more.className = "when";
      more.textContent = `and ${to - from + 1 - lines.length} more here: zoom in`;
      lines.push(more);
    }
    return lines;
  }
  function tipRows(chart, time, index) {
    const when = document.createElement("div");
    when.className = "when";
    when.textContent = `${moment(chart.share ? time : points.t[index])} UTC`;
    const rows = chart.series.filter((series) => series.kind === "line" && !hidden.has(`${chart.id}:${series.name}`))
      .map((series) => [series, reading(chart, series, time, index)]).filter(([, value]) => !chart.share || value > 0)
      .map(([series, value]) => {
        const row = document.createElement("div"), name = document.createElement("span"), dot = document.createElement("i"), text = document.createElement("span");
        row.className = "row"; dot.className = "dot"; dot.style.background = color(series.tint);
        name.append(dot, series.name); text.textContent = series.read(value); row.append(name, text);
        return row;
      });
    return [when, ...rows];
  }
  function leave() {
    for (const chart of charts) { chart.cursor.hidden = true; chart.tip.hidden = true; }
    tell(null);
  }
  function point(chart, x, y) {
    if (!points.t.length || !chart.view.containPixel("grid", [x, y])) return leave();
    const time = chart.view.convertFromPixel({ xAxisIndex: 0 }, x) / 1000;
    const index = tell(time);
    for (const each of charts) { each.cursor.hidden = false; each.cursor.style.left = `${x}px`; each.tip.hidden = each !== chart; }
    const rows = tipRows(chart, time, index);
    if (chart.id === "price") {
      const reach = Math.abs(chart.view.convertFromPixel({ xAxisIndex: 0 }, x + 6) / 1000 - time);
      rows.push(...tradeLines(time, reach));
    }
    chart.tip.replaceChildren(...rows);
    const width = chart.tip.offsetWidth, room = chart.tip.parentElement.clientWidth;
    chart.tip.style.left = `${Math.max(0, x + 16 + width > room ? Math.max(0, x - 16 - width) : x + 16)}px`;
    chart.tip.style.top = `${Math.max(0, Math.min(y - 20, chart.tip.parentElement.clientHeight - chart.tip.offsetHeight))}px`;
  }

  // ---- zooming: all charts show the same range
  let zooming = false;
  function zoomed(start, end, source) {
    zoom = [start, end];
    zooming = true;
    for (const chart of charts) if (chart !== source) chart.view.dispatchAction({ type: "dataZoom", start, end });
    zooming = false;
    redraw();
    // Counting the holds again made new series; their legend is rebuilt with them.
    legend(charts[3]);
    leave();
    tellRange();
  }
  function tellRange() {
    const [from, to] = range();
    Object.assign(byId("chart-price").dataset, { from: moment(from), to: moment(to) });
    byId("reset").disabled = zoom[0] <= 0 && zoom[1] >= 100;
  }

  // ---- the list of trades, one page at a time
  const PAGE = 25;
  let page = 0;
  function fillTrades() {
    const body = byId("trades").tBodies[0], pages = Math.max(1, Math.ceil(trades.t.length / PAGE));
    const cell = (text, name) => { const td = document.createElement("td"); td.textContent = text; td.className = name ?? "num"; return td; };
    const rows = [];
    for (let i = page * PAGE; i < Math.min(trades.t.length, (page + 1) * PAGE); i += 1) {
      const tr = document.createElement("tr"), sell = trades.sell[i] === 1;
      tr.append(cell(moment(trades.t[i]), "nowrap"), cell(rule(i), sell ? "loss nowrap" : "gain nowrap"),
        cell(price(trades.price[i])), cell(trades.fill[i]), cell(trades.usd[i]), cell(trades.tokens[i]), cell(trades.fee[i]), cell(trades.gas[i]),
        cell(sell ? trades.realised[i] : ""));
      rows.push(tr);
    }
    if (!rows.length) { const tr = document.createElement("tr"), td = cell("No trades.", "dim"); td.colSpan = 9; tr.append(td); rows.push(tr); }
    body.replaceChildren(...rows);
    byId("pager").hidden = pages < 2;
    byId("page").textContent = `${page + 1} of ${pages}`;
    byId("earlier").disabled = page === 0;
    byId("later").disabled = page + 1 >= pages;
  }
  byId("earlier").onclick = () => { page -= 1; fillTrades(); };
  byId("later").onclick = () => { page += 1; fillTrades(); };

  // ---- begin
  for (const chart of charts) {
    const element = byId(`chart-${chart.id}`);
    chart.view = echarts.init(element, null, { renderer: "canvas" });
    chart.cursor = Object.assign(document.createElement("div"), { className: "cursor", hidden: true });
    chart.tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    element.parentElement.append(chart.cursor, chart.tip);
    chart.view.getZr().on("mousemove", (event) => point(chart, event.offsetX, event.offsetY));
    chart.view.getZr().on("globalout", leave);
    chart.view.on("datazoom", (event) => {
      if (zooming) return;
      const { start, end } = event.batch?.[0] ?? event;
      if (start != null) zoomed(start, end, chart);
    });
  }
  byId("reset").onclick = () => zoomed(0, 100);
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = false;
  byId("theme").onclick = () => { chosen = true; root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; drawAll(); };
  dark.addEventListener("change", () => { if (!chosen) { root.dataset.theme = dark.matches ? "dark" : "light"; drawAll(); } });
  let frame = 0;
  addEventListener("resize", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => { charts.forEach((chart) => chart.view.resize()); drawAll(); }); });
  fillTrades();
  drawAll();
  tellRange();
  root.dataset.ready = "yes";
})();

import type { Trade } from "../api/client";
import { Realm } from "./common";
import { amount, full, gain, price, tone, usd } from "./format";
import { type Column, Table } from "./table";

const sold = (trade: Trade) => trade.side === "SELL";
const OWN: Column<Trade>[] = [
  { name: "token", cell: (trade) => <a href={`#/jobs/${trade.job}`}>{trade.symbol}</a> },
  { name: "realm", cell: (trade) => <Realm realm={trade.realm} /> },
];
const NUMBER: Column<Trade> = { name: "trade", number: true, cell: (trade) => <Explorer trade={trade} /> };
const REST: Column<Trade>[] = [
  { name: "side", cell: (trade) => trade.side, tone: (trade) => trade.side.toLowerCase() },
  { name: "reason", cell: (trade) => trade.reason },
  { name: "status", cell: (trade) => <State trade={trade} /> },
  { name: "amount", number: true, cell: (trade) => amount(trade.base_amount) },
  { name: "price", number: true, cell: (trade) => price(trade.price_usd) },
  { name: "USD", number: true, cell: (trade) => usd(trade.quote_usd) },
  { name: "gas", number: true, cell: (trade) => usd(trade.gas_usd) },
  {
    name: "realised",
    number: true,
    cell: (trade) => (sold(trade) && trade.realized_usd ? gain(trade.realized_usd) : "-"),
    tone: (trade) => (sold(trade) ? tone(trade.realized_usd) : ""),
  },
  { name: "time", cell: (trade) => full(trade.executed_at ?? trade.created_at, trade.timezone) },
];
const OF_A_JOB = [NUMBER, ...REST];
const OF_ALL = [NUMBER, ...OWN, ...REST];

/** Trades, newest first. `job`: they are all of one job. */
export function TradeTable({ trades, job }: { trades: Trade[]; job: boolean }) {
  return (
    <Table
      caption="Table of trades"
      columns={job ? OF_A_JOB : OF_ALL}
      rows={trades}
      id={(trade) => trade.trade}
      kind={(trade) => trade.realm}
      empty={job ? "None yet." : "No trades."}
    />
  );
}

/** A link to a block explorer: whatever else stands there is no link. */
function Explorer({ trade }: { trade: Trade }) {
  if (!trade.link?.startsWith("https://")) return <>{trade.trade}</>;
  return (
    <a href={trade.link} rel="noreferrer noopener" target="_blank" title="The transaction in the chain's explorer">
      {trade.trade}
    </a>
  );
}

function State({ trade }: { trade: Trade }) {
  const why = trade.error ?? trade.note;
  return (
    <>
      {trade.status}
      {why && <span class="faint wrap">: {why}</span>}
    </>
  );
}

import type { Trade } from "../api/client";
import { Realm } from "./common";
import { amount, full, gain, price, tone, usd } from "./format";

/** Trades, newest first. `job`: they are all of one job. */
export function TradeTable({ trades, job }: { trades: Trade[]; job: boolean }) {
  return (
    <div class="scroll" role="region" aria-label="Table of trades" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              trade
            </th>
            {!job && <th scope="col">token</th>}
            {!job && <th scope="col">realm</th>}
            <th scope="col">side</th>
            <th scope="col">reason</th>
            <th scope="col">status</th>
            <th scope="col" class="number">
              amount
            </th>
            <th scope="col" class="number">
              price
            </th>
            <th scope="col" class="number">
              USD
            </th>
            <th scope="col" class="number">
              gas
            </th>
            <th scope="col" class="number">
              realised
            </th>
            <th scope="col">time</th>
          </tr>
        </thead>
        <tbody>
          {trades.map((trade) => (
            <Row trade={trade} job={job} key={trade.trade} />
          ))}
        </tbody>
      </table>
    </div>
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

function Row({ trade, job }: { trade: Trade; job: boolean }) {
  const why = trade.error ?? trade.note;
  return (
    <tr class={trade.realm}>
      <td class="number">
        <Explorer trade={trade} />
      </td>
      {!job && (
        <td>
          <a href={`#/jobs/${trade.job}`}>{trade.symbol}</a>
        </td>
      )}
      {!job && (
        <td>
          <Realm realm={trade.realm} />
        </td>
      )}
      <td class={trade.side.toLowerCase()}>{trade.side}</td>
      <td>{trade.reason}</td>
      <td>
        {trade.status}
        {why && <span class="faint wrap">: {why}</span>}
      </td>
      <td class="number">{amount(trade.base_amount)}</td>
      <td class="number">{price(trade.price_usd)}</td>
      <td class="number">{usd(trade.quote_usd)}</td>
      <td class="number">{usd(trade.gas_usd)}</td>
      <td class={`number ${trade.side === "SELL" ? tone(trade.realized_usd) : ""}`}>{trade.side === "SELL" && trade.realized_usd ? gain(trade.realized_usd) : "-"}</td>
      <td class="time">{full(trade.executed_at ?? trade.created_at, trade.timezone)}</td>
    </tr>
  );
}

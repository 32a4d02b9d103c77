import type { Costs } from "../api/client";
import { percent, usd } from "./format";

/** What a buy and a sale right after it cost, in one sentence. */
export function CostsLine({ costs }: { costs: Costs }) {
  const made = [
    costs.pool_fee_pct && `pool ${percent(costs.pool_fee_pct)} each way`,
    costs.hook_fee_pct && costs.hook_fee_pct !== "0" && `hook ${percent(costs.hook_fee_pct)}`,
    costs.tax_pct && costs.tax_pct !== "0" && `the token keeps ${percent(costs.tax_pct)}`,
    costs.impact_pct && `price impact ${percent(costs.impact_pct)}`,
  ].filter(Boolean);
  return (
    <>
      <p>
        A buy of {usd(costs.amount_usd)} USD and a sale right after it cost{" "}
        <strong>
          {usd(costs.round_trip_usd)} USD{costs.round_trip_pct && `, ${percent(costs.round_trip_pct)}`}
        </strong>
        : {usd(costs.pool_usd)} fees and price impact{made.length > 0 && ` (${made.join(", ")})`}, up to {usd(costs.gas_usd)} gas
        {costs.estimated && ` (an estimate: ${costs.estimated})`}.
      </p>
      {costs.use_usd && (
        <p class="notice warn">
          Gas takes up to {percent(costs.gas_share_pct)} of a buy of this size: {usd(costs.use_usd)} USD is the least of which it takes one
          per cent.
        </p>
      )}
    </>
  );
}

"""The same series and the closest equal rule in lgi-mm and in three Python backtesters.

The rule: buy 10 USD every 4 hours, with a fee of 0.4 % (30 bps pool fee and 10 bps slippage in ours), a candle a
minute. What differs is printed with the figures. Each runs once to warm up and then three times; the median counts.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time

EVERY = 240
MONEY = 10.0
FEE = 0.004


def series(rows):
    """A walk around 100, a row a minute."""
    random.seed(7)
    price, out = 100.0, []
    for _ in range(rows):
        price *= 1 + random.gauss(0, 0.0008) + (100.0 - price) / 2_000_000
        out.append(round(price, 6))
    return out


def timed(run, times=3):
    run()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        told = run()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), told


def lgi_mm(binary, path, rows):
    config = [
        "accumulate.dca_interval=4h", "accumulate.dip_buy_threshold_pct=0", "accumulate.max_accumulation_usd=1000000",
        "limits.max_daily_spend_usd=0", "price.max_price_move_pct=0",
    ]
    arguments = [binary, "backtest", "--prices", path, "--mode", "accumulate", "--json"]
    for pair in config:
        arguments += ["--set", pair]
    environment = {**os.environ, "LGI_MM__PAPER__WALLET_USD": "100000000"}

    def run():
        done = subprocess.run(arguments, capture_output=True, check=True, env=environment)
        return json.loads(done.stdout)["summary"]

    seconds, summary = timed(run)
    told = f"{summary['buys']} buys; whole process: reads and checks the CSV, three runs (rules, lump sum, equal DCA)"
    return "lgi-mm", seconds, rows / seconds, told


def vectorbt(prices, index):
    import numpy
    import pandas
    import vectorbt as vbt

    close = pandas.Series(prices, index=index)
    size = numpy.full(len(prices), numpy.nan)
    size[::EVERY] = MONEY

    def run():
        folio = vbt.Portfolio.from_orders(close, size=size, size_type="value", fees=FEE, init_cash=1e8)
        return folio.orders.count(), folio.total_profit(), folio.max_drawdown()

    seconds, told = timed(run)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import vectorbt"], check=True, capture_output=True)
    loading = time.perf_counter() - begun
    note = f"{told[0]} buys; the run alone, orders known beforehand as an array, floats, no rules; loading it takes {loading:.1f} s"
    return "vectorbt", seconds, len(prices) / seconds, note


def backtesting(prices, index):
    import pandas
    from backtesting import Backtest, Strategy

    frame = pandas.DataFrame({"Open": prices, "High": prices, "Low": prices, "Close": prices}, index=index)

    class Dca(Strategy):
        def init(self):
            self.count = 0

        def next(self):
            if self.count % EVERY == 0:
                self.buy(size=MONEY / 1e8)
            self.count += 1

    def run():
        return Backtest(frame / 1e6, Dca, cash=1e8, commission=FEE, exclusive_orders=False).run()

    seconds, told = timed(run, times=1)
    return "backtesting.py", seconds, len(prices) / seconds, "the run alone, once more after a warm-up; every buy stays open as a trade of its own, floats"


def freqtrade(prices, start, rows):
    from pathlib import Path

    import pandas

    home = Path(tempfile.mkdtemp(prefix="freqtrade-"))
    (home / "strategies").mkdir()
    data = home / "data" / "binance"
    data.mkdir(parents=True)
    dates = pandas.date_range(start, periods=rows, freq="1min", tz="UTC")
    frame = pandas.DataFrame({"date": dates, "open": prices, "high": prices, "low": prices, "close": prices, "volume": 1e6})
    frame.to_feather(data / "TKN_USDT-1m.feather")
    (home / "strategies" / "dca.py").write_text(f'''
from freqtrade.strategy import IStrategy
class Dca(IStrategy):
    timeframe = "1m"
    stoploss = -0.99
    minimal_roi = {{}}
    position_adjustment_enable = True
    can_short = False
    def populate_indicators(self, dataframe, metadata):
        return dataframe
    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe
    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
    def adjust_trade_position(self, trade, current_time, current_rate, current_profit, min_stake, max_stake, *_, **__):
        minutes = int((current_time - trade.open_date_utc).total_seconds() // 60)
        return {MONEY} if minutes and minutes % {EVERY} == 0 else None
''')
    (home / "config.json").write_text(json.dumps({
        "max_open_trades": 1, "stake_currency": "USDT", "stake_amount": MONEY, "dry_run": True,
        "dry_run_wallet": 1e8, "timeframe": "1m", "fee": FEE, "trading_mode": "spot",
        "exchange": {"name": "binance", "pair_whitelist": ["TKN/USDT"], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}], "entry_pricing": {"price_side": "same"},
        "exit_pricing": {"price_side": "same"}, "internals": {},
    }))
    arguments = [
        str(Path(sys.executable).with_name("freqtrade")), "backtesting", "--config", str(home / "config.json"),
        "--userdir", str(home), "--datadir", str(data), "--strategy", "Dca", "--cache", "none", "--export", "none",
    ]
    begun = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return "freqtrade", seconds, rows / seconds, "whole process, once; candles from feather, one position with additions"


def main():
    binary, rows = sys.argv[1], int(sys.argv[2])
    prices = series(rows)
    start = datetime.datetime(2024, 1, 1)
    begin = int(start.replace(tzinfo=datetime.timezone.utc).timestamp())
    with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False) as file:
        file.write("time,price\n")
        file.writelines(f"{begin + 60 * n},{price}\n" for n, price in enumerate(prices))
    lines = [lgi_mm(binary, file.name, rows)]
    for name, run in [
        ("vectorbt", lambda: vectorbt(prices, index(start, rows))),
        ("backtesting", lambda: backtesting(prices, index(start, rows))),
        ("freqtrade", lambda: freqtrade(prices, start, rows)),
    ]:
        try:
            lines.append(run())
        except Exception as error:  # A program that is not there or does not run is said, not hidden.
            print(f"{name}: left out: {type(error).__name__}: {error}")
    print(f"{rows} rows, {platform.processor() or platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
    for name, seconds, rate, told in lines:
        try:
            version = importlib.metadata.version(name.removesuffix(".py"))
        except importlib.metadata.PackageNotFoundError:
            version = ""
        print(f"{name} {version}: {seconds:.3f} s, {rate:,.0f} rows a second; {told}")


def index(start, rows):
    import pandas

    return pandas.date_range(start, periods=rows, freq="1min")


if __name__ == "__main__":
    main()

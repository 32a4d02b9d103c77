"""Unmodified freqtrade with one exception: it gets the one market of the comparison instead of querying an exchange.

Even a backtest queries the exchange for its markets before it starts, and none is reachable here. Everything else is
freqtrade's own. Prints how long the backtest alone took, without startup, reading the candles and writing the result.
"""

import time

from freqtrade.exchange import Exchange
from freqtrade.main import main
from freqtrade.optimize.backtesting import Backtesting

MARKET = {
    "id": "TKNUSDT", "symbol": "TKN/USDT", "base": "TKN", "quote": "USDT", "baseId": "TKN", "quoteId": "USDT",
    "type": "spot", "spot": True, "margin": False, "swap": False, "future": False, "option": False, "contract": False,
    "active": True, "taker": 0.004, "maker": 0.004, "precision": {"amount": 1e-8, "price": 1e-8}, "info": {},
    "limits": {"amount": {"min": 1e-8, "max": None}, "price": {"min": None, "max": None}, "cost": {"min": 1.0, "max": None}},
}


def markets(self, reload=False):
    self._api_async.set_markets([MARKET])


def timed(self, *arguments, **named):
    begun = time.perf_counter()
    result = backtest(self, *arguments, **named)
    print(f"\nbacktest-seconds {time.perf_counter() - begun}\n", flush=True)
    return result


backtest = Backtesting.backtest
Backtesting.backtest = timed
Exchange._load_async_markets = markets
main()

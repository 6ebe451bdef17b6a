"""The leaderboard as a page: one HTML file that needs no network.

`gather` reads from MLflow what the page shows, the files named after charts turn it into plotly's figures (plain
data), and `write` puts them into the template. What only the search can tell (the importance of parameters, the
settings of the winner) is handed in as plain data; `kdbench.outcome.report` does it all.
"""

from __future__ import annotations

from kdbench.leaderboard.page.data import Board, View, gather
from kdbench.leaderboard.page.document import write

__all__ = ["Board", "View", "gather", "write"]
